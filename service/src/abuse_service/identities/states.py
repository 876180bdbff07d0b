"""States in memory, the hot ones; the cold ones stay on disk and answer alike.

A state is held either packed (bytes) or live (an object). A *cut* is the consistent image of all states at one
instant: the states that changed since the last cut are packed little by little, and one that is about to change again
is packed first, so that taking an image never stops the service for long.
"""

import itertools
from typing import Protocol, TypeVar

import msgspec

from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.identities.joins import ColdOwners, Joins
from abuse_service.identities.packing import pack, squeeze, unpack
from abuse_service.identities.state import State

S = TypeVar("S", bound=State)

_SMALL_BYTES = 128
_MOST_ABSENT = 1_000
_USER_LETTER = EntityKind.USER.value


class ColdStates(ColdOwners, Protocol):
    """The states and the owners of Stripe ids of the last finished cut, on disk."""

    def load(self, key: bytes) -> bytes | None:
        """The packed state, or ``None``."""
        ...


class Cut(msgspec.Struct):
    """An image in the making: what is still to be packed, and what is."""

    position: int
    ahead: tuple[int, ...]
    todo: set[bytes]
    packed: dict[bytes, bytes]
    owners: dict[str, EntityKey]


class States:
    """All states, by key."""

    def __init__(self, cold: ColdStates, most_hot: int, most_live: int = 50_000) -> None:
        """Hold ``most_hot`` states in memory; a cut is wanted at ``most_live`` changed ones.

        Half as many unchanged ones stay live beside those, ready for use; the others rest as bytes.
        """
        self.joins = Joins(cold)
        self._cold = cold
        self._most_hot = most_hot
        self._most_live = min(most_live, most_hot)
        self._hot: dict[bytes, bytes | State] = {}
        # States that are live and unchanged, with their bytes: those of this cut and those of the one before.
        self._thawed: dict[bytes, bytes] = {}
        self._cooling: dict[bytes, bytes] = {}
        self._dirty: set[bytes] = set()
        # Keys that were looked for on disk in vain: a new one is looked for twice, before it is added.
        self._absent: set[bytes] = set()
        self._cut: Cut | None = None

    @property
    def hot(self) -> int:
        """How many states are in memory."""
        return len(self._hot)

    @property
    def dirty(self) -> int:
        """How many states changed since the last cut."""
        return len(self._dirty)

    @property
    def wants_cut(self) -> bool:
        """Whether as many states changed as may be live: they take ten times the memory of their bytes."""
        return len(self._dirty) >= self._most_live

    @property
    def cutting(self) -> bool:
        """Whether a cut is in the making."""
        return self._cut is not None

    def find(self, key: bytes) -> State | None:
        """The state under ``key``, to be read and not to be changed; ``None`` where nothing is known."""
        state = self._hot.get(key)
        if state is None:
            packed = None if key in self._absent else self._cold.load(key)
            if packed is None:
                self._note_absent(key)
                return None
            state = self._hot[key] = packed
        if isinstance(state, bytes):
            self._thawed[key] = state
            state = self._hot[key] = unpack(key, state)
        return state

    def edit(self, key: bytes) -> State | None:
        """The state under ``key``, to be changed; ``None`` where nothing is known."""
        if key in self._dirty:
            return self._hot[key]  # type: ignore[return-value]  # what is dirty is live
        cut = self._cut
        if cut is not None and key in cut.todo:
            cut.todo.discard(key)
            cut.packed[key] = pack(self._hot[key])
        state = self._hot.get(key)
        if state is None or isinstance(state, bytes):
            state = self.find(key)
            if state is None:
                return None
        self._dirty.add(key)
        if self._thawed.pop(key, None) is None:
            self._cooling.pop(key, None)
        return state

    def add(self, key: bytes, state: S) -> S:
        """Begin to keep a new state."""
        self._hot[key] = state
        self._dirty.add(key)
        self._absent.discard(key)
        return state

    def _note_absent(self, key: bytes) -> None:
        if len(self._absent) >= _MOST_ABSENT:
            self._absent.clear()
        self._absent.add(key)

    def begin_cut(self, position: int, ahead: tuple[int, ...]) -> None:
        """Take the image of this instant: all events up to ``position``, and the request ids ``ahead`` of it."""
        self._cut = Cut(position, ahead, self._dirty, {}, self.joins.begin_cut())
        self._dirty = set()
        self._cooling = self._thawed
        self._thawed = {}

    def pack_some(self, most: int) -> Cut | None:
        """Pack up to ``most`` states of the running cut; the cut itself once all are packed."""
        cut = self._cut
        if cut is None:
            return None
        for _ in range(min(most, len(cut.todo))):
            key = cut.todo.pop()
            state = self._hot.pop(key)
            packed = pack(state)
            # Back at the young end of the order in which states are forgotten.
            if len(self._thawed) < self._most_live // 2:
                self._thawed[key] = packed
                self._hot[key] = state
            else:
                packed = self._hot[key] = squeeze(packed)
            cut.packed[key] = packed
        return None if cut.todo else cut

    def finish_cut(self) -> None:
        """The cut is on disk: what rested since the one before goes back to bytes; the surplus is forgotten."""
        cut, self._cut = self._cut, None
        if cut is None:
            return
        self.joins.finish_cut()
        for key, packed in self._cooling.items():
            self._rest(key, packed)
        self._cooling = {}
        for key, packed in cut.packed.items():
            if isinstance(self._hot.get(key), bytes):
                self._rest(key, packed)
        self.trim()

    def trim(self) -> None:
        """Forget the states used longest ago, down to the limit; what changed since the last cut stays."""
        surplus = len(self._hot) - self._most_hot
        if surplus <= 0 or self._cut is not None:
            return
        clean = (key for key in self._hot if key not in self._dirty)
        for key in list(itertools.islice(clean, surplus)):
            del self._hot[key]
            self._thawed.pop(key, None)

    def _rest(self, key: bytes, packed: bytes) -> None:
        """Hold a state that is on disk as bytes; not at all where the frame would outweigh them.

        An entity of one member: it is not looked at before its next event, and then read from disk in
        microseconds.
        """
        if len(packed) <= _SMALL_BYTES and key[:1] != _USER_LETTER:
            self._hot.pop(key, None)
        else:
            self._hot[key] = squeeze(packed)

    def abandon_cut(self) -> None:
        """The cut did not get to disk: its states count as changed again."""
        cut, self._cut = self._cut, None
        if cut is None:
            return
        self.joins.abandon_cut()
        self._dirty |= cut.todo | cut.packed.keys()
        for key in cut.packed:
            state = self._hot[key]
            if isinstance(state, bytes):
                self._hot[key] = unpack(key, state)
            self._thawed.pop(key, None)
        self._thawed |= self._cooling
        self._cooling = {}
