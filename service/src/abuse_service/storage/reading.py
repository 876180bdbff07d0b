"""Where persons are looked up: whose events, who stands in which crowd, who is blocked; as of the last finished cut."""

import functools
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from abuse_service.events.entity import EntityKey
from abuse_service.identities.recent import Gathered
from abuse_service.identities.states import Cut
from abuse_service.identities.timeline import Chunk, chunks_of
from abuse_service.storage import statements

_CHUNKS_A_STATEMENT = 1_000
_ROWS_A_STATEMENT = 5_000
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
    """The writes that bring a cut's part to the tables, one after the other, each short. Any may be done twice."""
    yield from _timeline_steps(cut.gathered)
    pairs = [entity + identity for entity, crowd in cut.gathered.crowds.items() for identity in crowd]
    pairs.sort()
    for start in range(0, len(pairs), _ROWS_A_STATEMENT):
        part = pairs[start : start + _ROWS_A_STATEMENT]
        yield _step(statements.ADD_CROWD, {"pairs": b"".join(part), "count": len(part)})
    marks = sorted(cut.marks.items())
    for start in range(0, len(marks), _ROWS_A_STATEMENT):
        some = marks[start : start + _ROWS_A_STATEMENT]
        said = json.dumps([mark for _, mark in some])
        yield _step(statements.PUT_MARKS, {"keys": b"".join([key for key, _ in some]), "marks": said})


def clear_index(connection: sqlite3.Connection) -> None:
    """Forget all: it is gathered again from the log."""
    for table in _PROJECTED:
        connection.execute(f"DELETE FROM {table}")


def _timeline_steps(gathered: Gathered) -> Iterator[Step]:
    timelines = sorted(gathered.timelines.items())
    every = ((identity, chunk) for identity, entries in timelines for chunk in chunks_of(entries))
    while part := list(islice(every, _CHUNKS_A_STATEMENT)):
        rows, offset = [], 1
        for place, (_, chunk) in enumerate(part):
            size = len(chunk.body)
            rows.append((place, chunk.newest_ms, chunk.position, chunk.oldest_ms, chunk.mask, offset, size))
            offset += size
        parameters = {
            "keys": b"".join([identity for identity, _ in part]),
            "bodies": b"".join([chunk.body for _, chunk in part]),
            "rows": json.dumps(rows),
        }
        yield _step(statements.PUT_CHUNKS, parameters)


def _step(statement: str, parameters: Mapping[str, object]) -> Step:
    return functools.partial(_execute, statement, parameters)


def _execute(statement: str, parameters: Mapping[str, object], connection: sqlite3.Connection) -> None:
    connection.execute(statement, parameters)
