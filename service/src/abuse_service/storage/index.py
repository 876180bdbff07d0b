"""Which events and requests stand where: on disk for the most, in memory for the newest.

The keys of events are random, and a row for each in a B-tree would make every commit write a page an event. So the log
alone is durable at once; the newest keys are held here and go to the tables in bulk, sorted, before each snapshot.
After a crash they are read from the log again.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from abuse_service.events.event import Event
from abuse_service.storage import statements

INDEXED_POSITION = "indexed_position"
"""Name of the meta row: events up to this position are in the tables."""

_ROWS_A_STATEMENT = 5_000
_NO_CONTENT = bytes(8)

Entry = tuple[int, bytes]
"""Position and content key."""


class Generation(msgspec.Struct):
    """Entries that go to the tables together."""

    keys: dict[bytes, Entry]
    requests: dict[int, int]
    last_position: int = 0


class RecentIndex:
    """The entries that are not in the tables yet. Used by the writer's thread alone."""

    def __init__(self) -> None:
        self._young = Generation({}, {})
        self._old: Generation | None = None

    def start_behind(self, position: int) -> None:
        """Everything up to ``position`` is in the tables already."""
        self._young.last_position = position

    def add(self, events: Sequence[Event], keys: Sequence[bytes], first_position: int) -> None:
        """Note events that were committed from ``first_position`` on; ``keys`` are theirs, empty where one has none."""
        young = self._young
        for offset, (event, key) in enumerate(zip(events, keys, strict=True)):
            if key:
                young.keys[key] = (first_position + offset, event.content_key)
            if event.request_id:
                young.requests[event.request_id] = first_position + offset
        young.last_position = first_position + len(events) - 1

    def known(self, keys: Sequence[bytes], connection: sqlite3.Connection) -> dict[bytes, bytes]:
        """Those of the keys that were committed before, with their content keys."""
        wanted = set(keys)
        wanted.discard(b"")
        if not wanted:
            return {}
        found = {}
        for generation in (self._young, self._old):
            if generation is not None:
                found.update({key: generation.keys[key][1] for key in generation.keys.keys() & wanted})
        rest = list(wanted)
        row: str | None = connection.execute(
            statements.KNOWN_KEYS, {"count": len(rest), "keys": b"".join(rest)}
        ).fetchone()[0]
        for entry in row.split(",") if row else ():
            index, content = entry.split(":")
            found.setdefault(rest[int(index)], bytes.fromhex(content))
        return found

    def begin_move(self) -> Generation:
        """Set the entries so far apart, to be moved to the tables; they stay known until `end_move`."""
        if self._old is not None:
            # An earlier move did not come to its end: it goes along with this one.
            self._young.keys = self._old.keys | self._young.keys
            self._young.requests = self._old.requests | self._young.requests
            self._young.last_position = max(self._old.last_position, self._young.last_position)
        self._old, self._young = self._young, Generation({}, {}, self._young.last_position)
        return self._old

    def end_move(self) -> None:
        """The entries set apart are in the tables."""
        self._old = None


def chunks(generation: Generation) -> Iterator[dict[str, object]]:
    """Parameters of `statements.ADD_KEYS`, sorted so that neighbours share pages, a statement's worth each."""
    ordered = sorted(generation.keys.items())
    for start in range(0, len(ordered), _ROWS_A_STATEMENT):
        part = ordered[start : start + _ROWS_A_STATEMENT]
        yield {
            "keys": b"".join([key for key, _ in part]),
            "contents": b"".join([content or _NO_CONTENT for _, (_, content) in part]),
            "positions": json.dumps([position for _, (position, _) in part]),
        }


def request_rows(generation: Generation) -> dict[str, str]:
    """Parameters of `statements.ADD_REQUESTS`."""
    return {"requests": json.dumps(list(generation.requests.items()))}
