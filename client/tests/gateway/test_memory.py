"""What a guard remembers, how much and how long."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from abuse_client.contract import ResolvedAction
from abuse_client.gateway import Measure, Memory

BLOCK = Measure(action=ResolvedAction.BLOCK)
LIMIT = Measure(action=ResolvedAction.RATE_LIMIT)
NOTHING = Measure(action=ResolvedAction.NOTHING)


def test_memory_is_bounded():
    """Beyond the bound the identity goes that was needed least lately."""
    memory = Memory(2, 60)
    memory.learn("a", 1, BLOCK)
    memory.learn("b", 2, BLOCK)
    memory.recall("a")
    memory.learn("c", 3, BLOCK)
    assert [memory.recall(key) for key in "abc"] == [BLOCK, None, BLOCK]
    assert len(memory) == 2


def test_measures_have_lifetime():
    """A measure is forgotten so long after the last answer that named it, however often it was needed."""
    now = [0.0]
    memory = Memory(9, 60, clock=lambda: now[0])
    memory.learn("a", 1, BLOCK)
    now[0] = 59.0
    assert memory.recall("a") == BLOCK
    memory.learn("a", 2, None)
    now[0] = 60.0
    assert memory.recall("a") is None
    memory.learn("a", 3, BLOCK)
    now[0] = 119.0
    memory.learn("a", 4, BLOCK)
    now[0] = 178.0
    assert memory.recall("a") == BLOCK


def test_late_answer_undoes_nothing():
    """The answer to an older question does not overrule that to a newer one, in either direction."""
    memory = Memory(9, 60)
    memory.learn("a", 1, BLOCK)
    memory.learn("a", 3, NOTHING)
    memory.learn("a", 2, BLOCK)
    assert memory.recall("a") == NOTHING
    memory.learn("a", 5, LIMIT)
    memory.learn("a", 4, NOTHING)
    assert memory.recall("a") == LIMIT


def test_honest_identities_take_no_room():
    """Whoever never had anything in force pushes nobody out."""
    memory = Memory(2, 60)
    memory.learn("abuser", 1, BLOCK)
    for number in range(2, 100):
        memory.learn(f"honest-{number}", number, NOTHING)
        memory.learn(f"logged-{number}", number, Measure(action=ResolvedAction.LOG))
    assert (len(memory), memory.recall("abuser")) == (1, BLOCK)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from(ResolvedAction)), max_size=40))
def test_memory_is_last_said_action(said):
    """Whatever was said in whatever order, what enforces is the last action that was said of the identity."""
    memory, last = Memory(99, 60), {}
    for number, (key, action) in enumerate(said):
        memory.learn(key, number, None if action is None else Measure(action=action))
        last[key] = action or last.get(key)
    for key, action in last.items():
        recalled = memory.recall(key)
        harmless = action in (None, "nothing", "log")
        assert (recalled is None or recalled.action == action) if harmless else recalled.action == action


def test_threads_share_memory():
    """Many threads at once leave it whole and within its bound."""
    memory = Memory(50, 60)

    def work(start):
        for number in range(2_000):
            memory.learn(f"id-{(start * number) % 97}", number, BLOCK)
            memory.recall(f"id-{number % 97}")

    threads = [threading.Thread(target=work, args=(start,)) for start in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory) == 50
