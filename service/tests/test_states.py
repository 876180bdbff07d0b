"""States in memory and on disk: whatever is done with them, they are what a plain dict would be."""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from abuse_client.contract import Verdict
from abuse_service.identities.mark import mark_of
from abuse_service.identities.record import Record
from abuse_service.identities.state import Decided, EntityState, IdentityState, State
from abuse_service.identities.states import States
from abuse_service.testing import NOW_MS, MemoryColdStates

MOST_HOT = 4
KEYS = [letter + bytes([number]) * 16 for letter in (b"u", b"i", b"n") for number in range(4)]


def new_state(key: bytes) -> State:
    """A state of the kind that the key's letter says."""
    if key[:1] == b"u":
        return IdentityState("user:u1", NOW_MS, NOW_MS, Record())
    return EntityState()


def change(state: State, number: int) -> None:
    """Change a state in place, so that the number shows."""
    if isinstance(state, EntityState):
        state.features[f"f{number % 3}"] = [number, number + 1]
    else:
        state.record.spend.requests += number
        state.record.event_counts[f"t{number % 3}"] = number
        state.decisions.append(Decided(number, number, list(Verdict)[number % 4], None, ()))


def packed(state: State | None) -> bytes:
    """A state as bytes, so that two can be told apart."""
    return msgspec.msgpack.encode(state)


class Machine(RuleBasedStateMachine):
    """States beside a log of changes and a dict of what they amount to."""

    def __init__(self) -> None:
        super().__init__()
        self.cold = MemoryColdStates()
        self.states = States(self.cold, MOST_HOT)
        self.model: dict[bytes, State] = {}
        self.log: list[bytes] = []
        self.image_at = 0
        self.model_at_cut: dict[bytes, bytes] = {}
        self.position = 0

    def take(self, key: bytes, number: int) -> None:
        """One change, as the projection makes it."""
        state = self.states.edit(key)
        change(state if state is not None else self.states.add(key, new_state(key)), number)

    @rule(key=st.sampled_from(KEYS))
    def change_one(self, key: bytes) -> None:
        self.log.append(key)
        self.take(key, len(self.log))
        change(self.model.setdefault(key, new_state(key)), len(self.log))

    @rule(key=st.sampled_from(KEYS))
    def read_one(self, key: bytes) -> None:
        assert packed(self.states.find(key)) == packed(self.model.get(key))

    @precondition(lambda self: not self.states.cutting)
    @rule()
    def begin_cut(self) -> None:
        self.position = len(self.log)
        self.model_at_cut = {key: packed(state) for key, state in self.model.items()}
        self.states.begin_cut(self.position, ())

    @precondition(lambda self: self.states.cutting)
    @rule(most=st.integers(1, 5))
    def pack_some(self, most: int) -> None:
        cut = self.states.pack_some(most)
        if cut is not None:
            self.cold.keep(cut)
            image = States(self.cold, MOST_HOT)
            assert {key: packed(image.find(key)) for key in self.cold.kept} == self.model_at_cut
            self.image_at = cut.position
            self.states.finish_cut()

    @precondition(lambda self: self.states.cutting)
    @rule(most=st.integers(0, 5))
    def abandon_cut(self, most: int) -> None:
        self.states.pack_some(most)
        self.states.abandon_cut()

    @rule()
    def trim(self) -> None:
        self.states.trim()
        if not self.states.cutting:
            assert self.states.hot <= max(MOST_HOT, self.states.dirty)

    @rule()
    def lose_power(self) -> None:
        """Start again from the image on disk and the log behind it."""
        self.states = States(self.cold, MOST_HOT)
        for number, key in enumerate(self.log[self.image_at :], start=self.image_at + 1):
            self.take(key, number)

    @rule()
    def read_all(self) -> None:
        for key in KEYS:
            self.read_one(key)

    @rule(key=st.sampled_from(KEYS))
    def peek_one(self, key: bytes) -> None:
        assert packed(self.states.peek(key)) == packed(self.model.get(key))

    @invariant()
    def marks_are_known(self) -> None:
        """What is on disk, and over it what changed since, is the mark of every identity."""
        marks = {key: mark_of(state) for key, state in self.model.items() if isinstance(state, IdentityState)}
        assert self.cold.index.marks | self.states.changed_marks() == marks

    @invariant()
    def nothing_is_lost_from_memory(self) -> None:
        assert self.states.dirty <= self.states.hot


TestStates = Machine.TestCase
TestStates.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_live_states_are_bounded() -> None:
    """After two images at rest, no more than the limit is held in memory, and all is on disk."""
    states = States(cold := MemoryColdStates(), most_hot=100)
    for number in range(10_000):
        states.add(b"i" + number.to_bytes(16, "big"), EntityState())
    for _ in range(2):
        states.begin_cut(1, ())
        cut = states.pack_some(100_000)
        assert cut is not None
        cold.keep(cut)
        states.finish_cut()
    assert states.hot <= 100
    assert len(cold.kept) == 10_000


def test_unknown_key_is_nothing() -> None:
    """What is not known is neither found nor edited."""
    states = States(MemoryColdStates(), most_hot=100)
    assert (states.find(KEYS[0]), states.edit(KEYS[0]), states.dirty) == (None, None, 0)
