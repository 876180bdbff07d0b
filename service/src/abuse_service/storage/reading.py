"""Where persons are looked up: whose events, who stands in which crowd, who is blocked; as of the last finished cut."""

import functools
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from abuse_service.events.entity import EntityKey
from abuse_service.identities.states import Cut
from abuse_service.identities.timeline import Chunk, Entry, chunks_of
from abuse_service.storage import statements

T = TypeVar("T")

_IDENTITIES_A_STEP = 2_000
_ROWS_A_STEP = 5_000
_PROJECTED = ("timeline", "crowd", "mark")

Step = Callable[[sqlite3.Connection], object]

_FIND_CHUNKS = """
SELECT newest_ms, oldest_ms, mask, body FROM timeline
WHERE identity = ? AND newest_ms <= ? AND oldest_ms <= ? ORDER BY newest_ms DESC, position DESC
"""
_FIND_CROWD = "SELECT identity FROM crowd WHERE entity = ? AND identity > ? ORDER BY identity LIMIT ?"
_IS_IN_CROWD = "SELECT 1 FROM crowd WHERE entity = ? AND identity = ?"
_FIND_MARKED = "SELECT identity FROM mark WHERE mark = ? AND identity > ? ORDER BY identity LIMIT ?"


class KeptIndex:
    """The tables by which persons are found."""

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader

    def chunks(self, identity: EntityKey, newest_ms: int, oldest_ms: int) -> Iterator[Chunk]:
        """The chunks of a timeline that end at ``newest_ms`` or before and begin at ``oldest_ms`` or before."""
        for row in self._reader.execute(_FIND_CHUNKS, (identity, newest_ms, oldest_ms)):
            yield Chunk(*row)

    def crowd(self, entity: EntityKey, after: EntityKey, most: int) -> list[EntityKey]:
        """Who stands around an entity, behind ``after``, in the order of keys."""
        return [row[0] for row in self._reader.execute(_FIND_CROWD, (entity, after, most))]

    def is_in_crowd(self, entity: EntityKey, identity: EntityKey) -> bool:
        """Whether one of them is this identity."""
        return self._reader.execute(_IS_IN_CROWD, (entity, identity)).fetchone() is not None

    def marked(self, mark: int, after: EntityKey, most: int) -> list[EntityKey]:
        """The identities with a mark, behind ``after``, in the order of keys."""
        return [row[0] for row in self._reader.execute(_FIND_MARKED, (mark, after, most))]


def index_steps(cut: Cut) -> Iterator[Step]:
    """The writes that bring a cut's part to the tables, one after the other, each short. Any may be done twice.

    Each makes its rows when it runs: on the writer's thread, which leaves Python's lock to whoever answers.
    """
    gathered = cut.gathered
    for timelines in _parts(gathered.timelines.items(), _IDENTITIES_A_STEP):
        yield functools.partial(_put_chunks, timelines)
    pairs = (entity + identity for entity, crowd in gathered.crowds.items() for identity in crowd)
    for some in _parts(pairs, _ROWS_A_STEP):
        yield functools.partial(_add_crowd, some)
    for marks in _parts(cut.marks.items(), _ROWS_A_STEP):
        yield functools.partial(_put_marks, marks)


def clear_index(connection: sqlite3.Connection) -> None:
    """Forget all: it is gathered again from the log."""
    for table in _PROJECTED:
        connection.execute(f"DELETE FROM {table}")


def _put_chunks(timelines: list[tuple[EntityKey, list[Entry]]], connection: sqlite3.Connection) -> None:
    keys: list[EntityKey] = []
    bodies: list[bytes] = []
    rows: list[tuple[int, ...]] = []
    offset = 1
    for identity, entries in timelines:
        for chunk in chunks_of(entries):
            size = len(chunk.body)
            rows.append((len(keys), chunk.newest_ms, chunk.position, chunk.oldest_ms, chunk.mask, offset, size))
            keys.append(identity)
            bodies.append(chunk.body)
            offset += size
    said = {"keys": b"".join(keys), "bodies": b"".join(bodies), "rows": json.dumps(rows)}
    connection.execute(statements.PUT_CHUNKS, said)


def _add_crowd(pairs: list[bytes], connection: sqlite3.Connection) -> None:
    connection.execute(statements.ADD_CROWD, {"pairs": b"".join(pairs), "count": len(pairs)})


def _put_marks(marks: list[tuple[EntityKey, int]], connection: sqlite3.Connection) -> None:
    said = {"keys": b"".join([key for key, _ in marks]), "marks": json.dumps([mark for _, mark in marks])}
    connection.execute(statements.PUT_MARKS, said)


def _parts(every: Iterable[T], most: int) -> Iterator[list[T]]:
    rest = iter(every)
    while part := list(islice(rest, most)):
        yield part
