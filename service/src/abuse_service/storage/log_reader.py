"""Reading the log: in order, one by one, or some of it. All of it works beside a service that writes."""

import sqlite3
from collections.abc import Iterator, Sequence

from abuse_service.events.event import Event, Stored
from abuse_service.storage.blocks import pick_events, unpack_block
from abuse_service.storage.erase import read_scrubbed
from abuse_service.storage.index import INDEXED_POSITION
from abuse_service.storage.retention import log_begins, read_spared


class LogReader:
    """The events that one connection sees."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._reader = connection
        self._recent_block: tuple[int, list[Event]] = (0, [])
        self.first_position = log_begins(connection)

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind position ``after`` in order, all or ``limit``; of those that were dropped the few that stay."""
        given = 0
        for stored in read_spared(self._reader, after, self.first_position):
            yield stored
            given += 1
            if given == limit:
                return
        first = self._reader.execute(
            "SELECT coalesce(max(position), 0) FROM block WHERE position <= ?", (after + 1,)
        ).fetchone()[0]
        rows = self._reader.execute("SELECT position, body FROM block WHERE position >= ? ORDER BY position", (first,))
        for start, body in rows:
            skip = max(0, after + 1 - start)
            for position, event in enumerate(unpack_block(body, skip), start + skip):
                yield self._stored(position, event)
                given += 1
                if given == limit:
                    return

    def find(self, position: int) -> Stored | None:
        """The event at a position."""
        if position < self.first_position:
            return next(read_spared(self._reader, position - 1, position + 1), None)
        first, events = self._recent_block
        if not first <= position < first + len(events):
            row = self._reader.execute(
                "SELECT position, body FROM block WHERE position <= ? ORDER BY position DESC LIMIT 1", (position,)
            ).fetchone()
            if row is None:
                return None
            first, events = row[0], list(unpack_block(row[1]))
            self._recent_block = (first, events)
        is_there = first <= position < first + len(events)
        return self._stored(position, events[position - first]) if is_there else None

    def find_all(self, positions: Sequence[int]) -> list[Stored]:
        """The events at these positions, in this order; those that are gone are left out."""
        found: dict[int, Event] = {}
        wanted = sorted(set(positions), reverse=True)
        while wanted:
            row = self._reader.execute(
                "SELECT position, body FROM block WHERE position <= ? ORDER BY position DESC LIMIT 1", (wanted[0],)
            ).fetchone()
            if row is None:
                spared = read_spared(self._reader, wanted[-1] - 1, wanted[0] + 1)
                found |= {stored.position: stored.event for stored in spared}
                break
            first, body = row
            inside = [position for position in wanted if position >= first]
            del wanted[: len(inside)]
            picked = pick_events(body, [position - first for position in inside])
            found |= {first + place: event for place, event in picked.items()}
        return [self._stored(position, found[position]) for position in positions if position in found]

    def find_request(self, request_id: int) -> Stored | None:
        """The record of the decision with this request id, also one that the index does not have yet."""
        row = self._reader.execute("SELECT position FROM request WHERE request_id = ?", (request_id,)).fetchone()
        if row is not None:
            return self.find(row[0])
        row = self._reader.execute("SELECT value FROM meta WHERE name = ?", (INDEXED_POSITION,)).fetchone()
        behind = self.read(int(row[0]) if row else 0)
        return next((stored for stored in behind if stored.event.request_id == request_id), None)

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log."""
        stored = self.find(position)
        return stored.event if stored else None

    def find_last_position(self) -> int:
        """Position of the newest event, 0 for an empty log."""
        row = self._reader.execute("SELECT position + events - 1 FROM block ORDER BY position DESC LIMIT 1").fetchone()
        return row[0] if row else 0

    def forget_block(self) -> None:
        """Drop the copies of events that are held in memory: they changed on disk."""
        self._recent_block = (0, [])

    def note_dropped(self) -> None:
        """The oldest events were dropped."""
        self.forget_block()
        self.first_position = log_begins(self._reader)

    def _stored(self, position: int, event: Event) -> Stored:
        # Where an event was erased, what is left of it lies beside the log.
        return Stored(position, event if event.type else read_scrubbed(self._reader, position))
