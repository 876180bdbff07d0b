"""States in memory, the hot ones; the cold ones stay on disk and answer alike.

A state is live (an object) or rests (bytes in a `Slab`); one that was thawed to be read is both. A *cut* is the
consistent image of all states at one instant: the states that changed since the last cut are packed little by little,
and one that is about to change again is packed first, so that taking an image never stops the service for long.
"""

import itertools
from typing import Protocol, TypeVar

import msgspec

from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.identities.joins import ColdJoins, Joins, Learned
from abuse_service.identities.mark import mark_of
from abuse_service.identities.packing import pack, squeeze, unpack
from abuse_service.identities.recent import Gathered, Recent
from abuse_service.identities.slab import Slab
from abuse_service.identities.state import IdentityState, State

S = TypeVar("S", bound=State)

_SMALL_BYTES = 128
_MOST_ABSENT = 1_000
_USER_LETTER = EntityKind.USER.value


class ColdStates(ColdJoins, Protocol):
    """The states and the claims on Stripe ids of the last finished cut, on disk."""

    def load(self, key: bytes) -> bytes | None:
        """The packed state, or ``None``."""
        ...


class Cut(msgspec.Struct):
    """An image in the making: what is still to be packed, and what is."""

    position: int
    ahead: tuple[int, ...]
    todo: set[bytes]
    packed: dict[bytes, bytes]
    learned: Learned
    gathered: Gathered
    marks: dict[EntityKey, int] = {}
    small: list[bytes] = []

    def take(self, key: bytes, state: State) -> bytes:
        """Pack a state into the image."""
        packed = self.packed[key] = pack(state)
        if isinstance(state, IdentityState):
            self.marks[key] = mark_of(state)
        return packed


class States:
    """All states, by key."""

    def __init__(self, cold: ColdStates, most_hot: int, most_live: int = 50_000) -> None:
        """Hold ``most_hot`` states in memory; a cut is wanted at ``most_live`` changed ones.

        Half as many unchanged ones stay live beside those, ready for use; the others rest.
        """
        self.joins = Joins(cold)
        self.recent = Recent()
        self._cold = cold
        self._most_hot = most_hot
        self._most_live = min(most_live, most_hot)
        self._live: dict[bytes, State] = {}
        # Handles of bodies in the slab, those used longest ago first.
        self._resting: dict[bytes, int] = {}
        self._slab = Slab(self._is_current, self._resting.__setitem__)
        # States that are live and unchanged, with their bytes where these do not rest: those of this cut and those of
        # the one before.
        self._thawed: dict[bytes, bytes | None] = {}
        self._cooling: dict[bytes, bytes | None] = {}
        self._dirty: set[bytes] = set()
        # Keys that were looked for on disk in vain: a new one is looked for twice, before it is added.
        self._absent: set[bytes] = set()
        self._cut: Cut | None = None

    @property
    def hot(self) -> int:
        """How many states are in memory, those that are live and rest counted twice."""
        return len(self._live) + len(self._resting)

    @property
    def dirty(self) -> int:
        """How many states changed since the last cut."""
        return len(self._dirty)

    @property
    def wants_cut(self) -> bool:
        """Whether as many states changed as may be live, which takes ten times the memory of their bytes, or much is
        to go to the indexes."""
        return len(self._dirty) >= self._most_live or self.recent.is_full

    @property
    def cutting(self) -> bool:
        """Whether a cut is in the making."""
        return self._cut is not None

    def find(self, key: bytes) -> State | None:
        """The state under ``key``, to be read and not to be changed; ``None`` where nothing is known."""
        state = self._live.get(key)
        if state is not None:
            return state
        handle = self._resting.get(key)
        packed: bytes | None
        if handle is not None:
            packed = self._slab.get(handle)
            self._thawed[key] = None
        else:
            packed = None if key in self._absent else self._cold.load(key)
            if packed is None:
                self._note_absent(key)
                return None
            self._thawed[key] = packed
        state = self._live[key] = unpack(key, packed)
        return state

    def edit(self, key: bytes) -> State | None:
        """The state under ``key``, to be changed; ``None`` where nothing is known."""
        if key in self._dirty:
            return self._live[key]
        cut = self._cut
        if cut is not None and key in cut.todo:
            cut.todo.discard(key)
            cut.take(key, self._live[key])
        state = self.find(key)
        if state is None:
            return None
        self._dirty.add(key)
        self._thawed.pop(key, None)
        self._cooling.pop(key, None)
        self._end_rest(key)
        return state

    def peek(self, key: bytes) -> State | None:
        """The state under ``key``, to be read once: what a search looks at does not push others out of memory."""
        state = self._live.get(key)
        if state is not None:
            return state
        handle = self._resting.get(key)
        packed = self._slab.get(handle) if handle is not None else self._cold.load(key)
        return unpack(key, packed) if packed is not None else None

    def changed_marks(self) -> dict[EntityKey, int]:
        """The marks of the identities that changed since the last finished cut."""
        cut = self._cut
        marks = dict(cut.marks) if cut is not None else {}
        for key in itertools.chain(self._dirty, cut.todo if cut is not None else ()):
            state = self._live[key]
            if isinstance(state, IdentityState):
                marks[key] = mark_of(state)
        return marks

    def add(self, key: bytes, state: S) -> S:
        """Begin to keep a new state."""
        self._live[key] = state
        self._dirty.add(key)
        self._absent.discard(key)
        return state

    def begin_cut(self, position: int, ahead: tuple[int, ...]) -> None:
        """Take the image of this instant: all events up to ``position``, and the request ids ``ahead`` of it."""
        self._cut = Cut(position, ahead, self._dirty, {}, self.joins.begin_cut(), self.recent.begin_cut())
        self._dirty = set()
        self._cooling = self._thawed
        self._thawed = {}

    def pack_some(self, most: int) -> Cut | None:
        """Pack up to ``most`` states of the running cut, then lay as many to rest; the cut itself once all is done."""
        cut = self._cut
        if cut is None:
            return None
        if not cut.todo and self._cooling:
            self._cool_some(most)
        for _ in range(min(most, len(cut.todo))):
            key = cut.todo.pop()
            packed = cut.take(key, self._live[key])
            if len(self._thawed) < self._most_live // 2:
                self._thawed[key] = packed
            else:
                packed = cut.packed[key] = squeeze(packed)
                del self._live[key]
                self._rest(key, packed)
                if _is_small(key, packed):
                    cut.small.append(key)
        return None if cut.todo or self._cooling else cut

    def finish_cut(self) -> None:
        """The cut is on disk: what need not be in memory is forgotten."""
        cut, self._cut = self._cut, None
        if cut is None:
            return
        self.joins.finish_cut()
        self.recent.finish_cut()
        for key in cut.small:
            if key not in self._live:
                self._end_rest(key)
        self.trim()

    def trim(self) -> None:
        """Forget the states used longest ago, down to the limit; what changed since the last cut stays."""
        surplus = self.hot - self._most_hot
        if surplus <= 0 or self._cut is not None:
            return
        for key in list(itertools.islice(itertools.chain(self._resting, self._thawed), surplus)):
            self._end_rest(key)
            if key in self._thawed:
                del self._thawed[key], self._live[key]

    def tidy(self) -> None:
        """Give memory back that resting states have left behind, a piece at a time."""
        self._slab.tidy()

    def abandon_cut(self) -> None:
        """The cut did not get to disk: its states count as changed again."""
        cut, self._cut = self._cut, None
        if cut is None:
            return
        self.joins.abandon_cut()
        self.recent.abandon_cut()
        for key in cut.packed.keys() - self._dirty:
            if key not in self._live:
                self._live[key] = unpack(key, self._slab.get(self._resting[key]))
            self._thawed.pop(key, None)
            self._end_rest(key)
        self._dirty |= cut.todo | cut.packed.keys()
        self._thawed |= self._cooling
        self._cooling = {}

    def _cool_some(self, most: int) -> None:
        """Lay states to rest that were not used since the cut before this one; all of them are on disk."""
        for key in list(itertools.islice(self._cooling, most)):
            packed = self._cooling.pop(key)
            del self._live[key]
            if packed is None:
                # Back at the young end of the order in which states are forgotten.
                self._resting[key] = self._resting.pop(key)
            elif not _is_small(key, packed):
                self._rest(key, squeeze(packed))

    def _rest(self, key: bytes, packed: bytes) -> None:
        self._resting[key] = self._slab.put(key, packed)

    def _end_rest(self, key: bytes) -> None:
        handle = self._resting.pop(key, None)
        if handle is not None:
            self._slab.give_back(key, handle)

    def _is_current(self, key: bytes, handle: int) -> bool:
        return self._resting.get(key) == handle

    def _note_absent(self, key: bytes) -> None:
        if len(self._absent) >= _MOST_ABSENT:
            self._absent.clear()
        self._absent.add(key)


def _is_small(key: bytes, packed: bytes) -> bool:
    """Whether the frame would outweigh the bytes of a state that rests: an entity of one member.

    It is not looked at before its next event, and then read from disk in microseconds.
    """
    return len(packed) <= _SMALL_BYTES and key[:1] != _USER_LETTER
