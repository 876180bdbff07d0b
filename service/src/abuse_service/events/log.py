"""The append-only log, as the rest of the service sees it. Nothing is acknowledged before it is durable."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from abuse_service.events.event import Event, Stored


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be taken, kept in quarantine with its reason."""

    rejected_id: int = 0
    received_at_ms: int
    source: str
    index: int
    path: str
    message: str
    body: bytes
    state: str = "waiting"


class Appended(msgspec.Struct, frozen=True):
    """What became of the events of one append.

    ``positions`` has an entry an event: its position in the log, or 0 for a duplicate. ``conflicts`` are the indexes of
    duplicates whose content differs from the first copy's.
    """

    positions: Sequence[int]
    conflicts: tuple[int, ...] = ()

    @property
    def duplicates(self) -> int:
        """How many of the events were known already."""
        return self.positions.count(0)

    @property
    def last_position(self) -> int:
        """The newest of the positions, 0 where there is none."""
        return max(self.positions, default=0) if self.duplicates else (self.positions[-1] if self.positions else 0)


class EventLog(Protocol):
    """Where events are kept. Implementations commit waiting appends together (decision 2)."""

    def append(
        self,
        events: list[Event],
        rejected: list[Rejected] | None = None,
        then: Callable[[Appended], None] | None = None,
    ) -> Awaitable[Appended]:
        """Make the events durable together and say where they stand.

        ``then`` is called at once after the commit, in the order of positions, before the awaiting caller goes on.
        Raises `StorageUnavailable`; then none was kept.
        """
        ...

    def record(self, event: Event, then: Callable[[Appended], None] | None = None) -> None:
        """Append soon, without waiting: for events whose effect was answered from memory. Ask `has_room` first.

        ``then`` is called as with `append`.
        """
        ...

    def settle(self) -> Awaitable[None]:
        """Wait until all that was recorded so far is durable. Raises `StorageUnavailable`."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether one more record may wait for the disk."""
        ...

    @property
    def pending_requests(self) -> tuple[int, ...]:
        """Request ids that were recorded and are not durable yet."""
        ...

    @property
    def is_failing(self) -> bool:
        """Whether the last write was refused by the disk."""
        ...

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind position ``after`` in order, all or ``limit``."""
        ...

    def find_request(self, request_id: int) -> Stored | None:
        """The recorded event that holds the decision with this request id."""
        ...

    def find_event(self, event_key: bytes) -> Stored | None:
        """The recorded event that was kept under this key."""
        ...

    def find_all(self, positions: Sequence[int]) -> list[Stored]:
        """The events at these positions, in this order; those that are gone are left out."""
        ...

    def next_request_id(self) -> int:
        """An id never issued before and never again, also after a crash; 0 when none can be had."""
        ...

    @property
    def last_position(self) -> int:
        """Position of the newest durable event, 0 for an empty log."""
        ...


class Quarantine(Protocol):
    """Events that were rejected, waiting for an operator."""

    def list_rejected(self, limit: int) -> list[Rejected]:
        """The waiting ones, oldest first."""
        ...

    def find_rejected(self, rejected_id: int) -> Rejected:
        """One of them. Raises `NotFound`."""
        ...

    def close_rejected(self, rejected_id: int, state: str) -> Awaitable[None]:
        """Mark one as ``retried`` or ``dropped``."""
        ...
