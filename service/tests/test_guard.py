"""The guard: a rule that hits many paying accounts drops to shadow, raises an alarm and waits for a person."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_client.contract import Verdict
from abuse_service.decisions.answer import auth_answer, classification, failed_classification
from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.errors import PolicyError
from abuse_service.events.event import OWN_SOURCE, RULE_GUARDED, RULE_RELEASED, Event
from abuse_service.policy.guard import MOST_ACCOUNTS
from abuse_service.policy.policy import Policy
from abuse_service.testing import HARD_RULE, NOW_MS, World, event, policy_of, policy_text

MINUTE_MS = 60_000
LIGHT = """
- id: light
  title: Light
  signal: light
  when: request.max_tokens == 1
  reason: light
  weight: 0.1
"""
RULES = HARD_RULE + LIGHT
GUARD = "guard: {paying_accounts: 3, window: 10m}"


def world_of(head: str = GUARD, rules: str = RULES) -> World:
    """A world under a guard of three accounts in ten minutes, with ten that paid."""
    world = World(policy_of(rules, head=head))
    for number in range(10):
        paid = {"microdollars_acquired": 5, "is_free": False}
        world.send(event("billing.credit_purchased", NOW_MS - 1, kilo_user_id=f"p{number}", **paid))
    return world


def hit(world: World, user: str, at: int = NOW_MS) -> Decision:
    """A request that the hard rule is about."""
    return world.classify(user, at=at, max_tokens=1)


def states(decision: Decision) -> dict[str, RuleState]:
    """What became of each rule."""
    return {outcome.rule_id: outcome.state for outcome in decision.rules}


def alarms(world: World) -> list[Event]:
    """The events that guarded a rule."""
    return [one for one in world.log.events if one.type == RULE_GUARDED]


def test_rule_drops_to_shadow_behind_its_threshold() -> None:
    """The account beyond the threshold is still judged as the rule says; from the next request on it runs in shadow."""
    world = world_of()
    assert [hit(world, f"p{number}").verdict for number in range(4)] == [Verdict.HARD_BLOCK] * 4
    decision = hit(world, "p4")
    assert decision.verdict is Verdict.ALLOW
    assert states(decision) == {"hard": RuleState.GUARDED, "light": RuleState.FIRED}
    assert decision.risk_score == 0.1
    assert len(alarms(world)) == 1


def test_answer_shows_a_guarded_rule_as_shadow() -> None:
    """On the wire a guarded rule is one in shadow: it matched, and is none of those that had a say."""
    world = world_of()
    for number in range(4):
        hit(world, f"p{number}")
    engine = classification(hit(world, "p4")).rules_engine
    assert engine is not None
    assert [match["mode"] for match in engine.matches if match["id"] == "hard"] == ["shadow"]
    assert engine.matched_abuse_rule_ids == ["light"]


@pytest.mark.parametrize(
    "users",
    [
        ["p0", "p1", "p2"] * 5,
        [f"unpaid{number}" for number in range(10)],
    ],
)
def test_others_do_not_trip(users: list[str]) -> None:
    """The same accounts again, and accounts that never paid, do not count."""
    world = world_of()
    assert {hit(world, user).verdict for user in users} == {Verdict.HARD_BLOCK}
    assert alarms(world) == []


@pytest.mark.parametrize(("step_ms", "is_guarded"), [(3 * MINUTE_MS, True), (4 * MINUTE_MS, False)])
def test_slow_hits_do_not_trip(step_ms: int, is_guarded: bool) -> None:
    """Only accounts within the window count, by event time."""
    world = world_of()
    for number in range(8):
        hit(world, f"p{number}", NOW_MS + number * step_ms)
    assert bool(alarms(world)) is is_guarded


def test_unenforced_hits_do_not_trip() -> None:
    """With enforcement off nobody is hit."""
    world = world_of()
    world.is_enforced = False
    for number in range(8):
        hit(world, f"p{number}")
    assert alarms(world) == []


def test_exempt_rule_is_never_guarded() -> None:
    """A rule by which people speak goes on, however many it hits."""
    world = world_of("guard: {paying_accounts: 3, window: 10m, exempt: [hard]}")
    assert {hit(world, f"p{number}").verdict for number in range(10)} == {Verdict.HARD_BLOCK}


def test_rules_are_guarded_apart() -> None:
    """A rule that hits many says nothing of its neighbours."""
    other = RULES.replace("id: hard", "id: other").replace("id: light", "id: lighter").replace("== 1", "> 0")
    world = world_of(rules=RULES + other.replace("max_tokens > 0", "max_tokens == 2"))
    for number in range(4):
        hit(world, f"p{number}")
    assert set(world.standing.guarded) == {"hard"}
    assert world.classify("p5", max_tokens=2).verdict is Verdict.HARD_BLOCK


def test_person_releases_a_rule() -> None:
    """A released rule acts again, and is counted from nothing."""
    world = world_of()
    for number in range(4):
        hit(world, f"p{number}")
    world.standing.take(0, Event(RULE_RELEASED, OWN_SOURCE, NOW_MS, NOW_MS, b'{"rule_id":"hard"}'))
    assert [hit(world, f"p{number}").verdict for number in range(4)] == [Verdict.HARD_BLOCK] * 4
    assert hit(world, "p5").verdict is Verdict.ALLOW


def test_log_tells_what_is_guarded() -> None:
    """Told the log again, the same rules wait for a person; a sender's event of that name guards nothing."""
    world = world_of()
    for number in range(4):
        hit(world, f"p{number}")
    world.send(event(RULE_GUARDED, NOW_MS, rule_id="light", guarded_at_ms=1))
    again = world.retold()
    assert again.standing.guarded == world.standing.guarded
    assert set(again.standing.guarded) == {"hard"}
    assert hit(again, "p5").verdict is Verdict.ALLOW


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60))
def test_memory_is_bounded(hits: list[tuple[int, int]]) -> None:
    """Of each rule no more accounts are remembered than its threshold."""
    world = world_of()
    for number, minutes in hits:
        hit(world, f"p{number}", NOW_MS + minutes * MINUTE_MS)
        assert all(len(known) <= 3 for known in world.guard._hits.values())


@pytest.mark.parametrize(
    ("guard", "path"),
    [
        ("paying_accounts: 0", "guard.paying_accounts"),
        (f"paying_accounts: {MOST_ACCOUNTS + 1}", "guard.paying_accounts"),
        ("window: 25h", "guard.window"),
        ("window: 30s", "guard.window"),
        ("exempt: [nobody]", "guard.exempt[0]"),
    ],
)
def test_senseless_guard_is_refused(guard: str, path: str) -> None:
    """A guard that can't work is refused at its place."""
    with pytest.raises(PolicyError) as refused:
        Policy(policy_text(head=f"guard: {{{guard}}}"))
    assert refused.value.path == path


# the switch


@pytest.mark.parametrize("user", ["p0", "unpaid"])
@pytest.mark.parametrize("fields", [{}, {"max_tokens": 1}])
def test_every_answer_says_that_it_is_off(user: str, fields: dict[str, Any]) -> None:
    """With enforcement off each answer and each decision says so, whatever the rules said; with it on none does."""
    world = world_of()
    said = classification(world.classify(user, **fields)).context
    assert said.is_enforced is None
    world.is_enforced = False
    decision = world.classify(user, **fields)
    would_be = Verdict.HARD_BLOCK if fields else Verdict.ALLOW
    assert decision.reasons[0] == f"enforcement is off; the rules said {would_be}"
    assert classification(decision).context.is_enforced is False
    assert auth_answer(decision).is_enforced is False
    assert failed_classification("user:u", is_enforced=False).context.is_enforced is False
