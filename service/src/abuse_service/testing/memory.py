"""Twins in memory of what stands on disk: the index, the states, and the log."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event, Stored
from abuse_service.events.log import Appended, Rejected
from abuse_service.identities.joins import Learned
from abuse_service.identities.state import State
from abuse_service.identities.states import Cut, S, States
from abuse_service.identities.timeline import Chunk, Entry, chunks_of


class MemoryIndex:
    """Timelines, crowds and marks on a disk that is three dicts."""

    def __init__(self) -> None:
        self.timelines: dict[EntityKey, list[Entry]] = {}
        self.crowds: dict[EntityKey, set[EntityKey]] = {}
        self.marks: dict[EntityKey, int] = {}

    def keep(self, cut: Cut) -> None:
        """Take a finished cut in."""
        for identity, entries in cut.gathered.timelines.items():
            self.timelines[identity] = sorted({*entries, *self.timelines.get(identity, ())})
        for entity, crowd in cut.gathered.crowds.items():
            self.crowds.setdefault(entity, set()).update(crowd)
        self.marks.update(cut.marks)

    def chunks(self, identity: EntityKey, newest_ms: int, oldest_ms: int) -> Iterator[Chunk]:
        """The chunks of a timeline."""
        every = sorted(chunks_of(self.timelines.get(identity, [])), key=lambda chunk: -chunk.newest_ms)
        return (chunk for chunk in every if chunk.newest_ms <= newest_ms and chunk.oldest_ms <= oldest_ms)

    def crowd(self, entity: EntityKey, after: EntityKey, most: int) -> list[EntityKey]:
        """Who stands around an entity."""
        return sorted(key for key in self.crowds.get(entity, ()) if key > after)[:most]

    def is_in_crowd(self, entity: EntityKey, identity: EntityKey) -> bool:
        """Whether one of them is this identity."""
        return identity in self.crowds.get(entity, ())

    def marked(self, mark: int, after: EntityKey, most: int) -> list[EntityKey]:
        """The identities with a mark."""
        return sorted(key for key, said in self.marks.items() if said == mark and key > after)[:most]


class MemoryColdStates:
    """States on a disk that is a dict."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.kept: dict[bytes, bytes] = {}
        self.learned = Learned()
        self.read_log: Callable[[], Sequence[Event]] = list

    def keep(self, cut: Cut) -> None:
        """Take a finished cut in, as the disk would: of equal claims the first stays."""
        self.kept.update(cut.packed)
        self.index.keep(cut)
        self.learned = self.learned.merge(cut.learned)

    def load_owners(self, join: EntityKey) -> dict[EntityKey, int]:
        """Who claims a Stripe id."""
        return self.learned.claims.get(join, {})

    def load_unnamed(self, join: EntityKey) -> list[int]:
        """Positions of events that carry a Stripe id and name no user."""
        return self.learned.unnamed.get(join, [])

    def unnamed_joins(self) -> Iterable[EntityKey]:
        """Every id that `load_unnamed` knows something of."""
        return self.learned.unnamed

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log that stands beside."""
        log = self.read_log()
        return log[position - 1] if 0 < position <= len(log) else None

    def load(self, key: bytes) -> bytes | None:
        """The packed state, or ``None``."""
        return self.kept.get(key)


class KnownStates(States):
    """States that can be listed."""

    def __init__(self, cold: MemoryColdStates, most_hot: int) -> None:
        super().__init__(cold, most_hot)
        self._kept = cold.kept
        self._added: set[bytes] = set()

    def add(self, key: bytes, state: S) -> S:
        """Begin to keep a new state."""
        self._added.add(key)
        return super().add(key, state)

    def all(self) -> dict[bytes, State]:
        """Every state, hot or cold, by key."""
        found = {key: self.find(key) for key in sorted(self._added | self._kept.keys())}
        return {key: state for key, state in found.items() if state is not None}


class MemoryLog:
    """An event log and a quarantine in memory, with the promises of the real ones but durability."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: list[Rejected] = []
        self.has_room = True
        self.is_failing = False
        self.pending_requests: tuple[int, ...] = ()
        self._known: dict[bytes, int] = {}
        self._next_request_id = 1

    def keep(self, events: list[Event], rejected: Iterable[Rejected] = ()) -> Appended:
        """Append at once."""
        positions, conflicts = [], []
        for place, event in enumerate(events):
            first = self._known.get(event.event_key) if event.event_key else None
            if first is None:
                self.events.append(event)
                positions.append(len(self.events))
                if event.event_key:
                    self._known[event.event_key] = len(self.events)
                continue
            positions.append(0)
            kept = self.events[first - 1].content_key
            if event.content_key and kept not in (b"", event.content_key):
                conflicts.append(place)
        for entry in rejected:
            self.rejected.append(msgspec.structs.replace(entry, rejected_id=len(self.rejected) + 1))
        return Appended(positions, tuple(conflicts))

    async def append(
        self,
        events: list[Event],
        rejected: list[Rejected] | None = None,
        then: Callable[[Appended], None] | None = None,
    ) -> Appended:
        """Append, tell ``then``, and give the positions."""
        appended = self.keep(events, rejected or ())
        if then is not None:
            then(appended)
        return appended

    def record(self, event: Event, then: Callable[[Appended], None] | None = None) -> None:
        """Append at once, and tell ``then``."""
        appended = self.keep([event])
        if then is not None:
            then(appended)

    async def settle(self) -> None:
        """Nothing ever waits."""

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind a position."""
        end = after + limit if limit else None
        for offset, event in enumerate(self.events[after:end]):
            yield Stored(after + offset + 1, event)

    def find_request(self, request_id: int) -> Stored | None:
        """The event that holds the decision with this request id."""
        return next((stored for stored in self.read(0) if stored.event.request_id == request_id), None)

    def find_event(self, event_key: bytes) -> Stored | None:
        """The event that was kept under this key."""
        position = self._known.get(event_key)
        return Stored(position, self.events[position - 1]) if position else None

    def find_all(self, positions: Sequence[int]) -> list[Stored]:
        """The events at these positions."""
        return [Stored(place, self.events[place - 1]) for place in positions if 0 < place <= len(self.events)]

    def next_request_id(self) -> int:
        """1, 2, 3, …"""
        self._next_request_id += 1
        return self._next_request_id - 1

    @property
    def last_position(self) -> int:
        """How many events are kept."""
        return len(self.events)
