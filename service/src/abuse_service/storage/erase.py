"""Erasing in place: what was written before is overwritten, and nothing of it stays in free space (0023).

SQLite zeroes what it frees (``secure_delete``), but a page that is put together anew may keep stale copies of rows that
moved to its neighbours. So no personal row ever moves here: a block of the log and a rejected event are overwritten by
as many bytes (a block's checksum is as wide as any other), and states lie in small tables, each of which is written
anew as a whole.
"""

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.storage import statements
from abuse_service.storage.blocks import GONE, checksum, replace_in_block
from abuse_service.storage.states import TABLES, make_table, table_of

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode

_FIND_BLOCK = "SELECT position, body FROM block WHERE position <= ? ORDER BY position DESC LIMIT 1"
# A row without a checksum stays so: with one it would be wider, and move.
_PUT_BLOCK = "UPDATE block SET body = ?, checksum = iif(checksum IS NULL, NULL, ?) WHERE position = ?"
_FIND_SCRUBBED = "SELECT body FROM scrubbed WHERE position = ?"


def rewrite_events(connection: sqlite3.Connection, scrubbed: Mapping[int, Event]) -> None:
    """Put events in the place of those at the same positions of the log, in the caller's transaction.

    They lie in a table of their own, since they need not fit; where they stood the block says that they are gone.
    """
    positions = sorted(scrubbed)
    place = 0
    while place < len(positions):
        row = connection.execute(_FIND_BLOCK, (positions[place],)).fetchone()
        if row is None:
            # Its block was dropped, and it alone lies beside the log.
            put_scrubbed(connection, positions[place], scrubbed[positions[place]])
            place += 1
            continue
        first, body = row
        rewritten, reached = replace_in_block(body, [position - first for position in positions[place:]])
        if rewritten != body:
            connection.execute(_PUT_BLOCK, (rewritten, checksum(first, rewritten), first))
        for position in positions[place : place + reached]:
            put_scrubbed(connection, position, scrubbed[position])
        place += reached


def put_scrubbed(connection: sqlite3.Connection, position: int, event: Event) -> None:
    """Lay an event beside the log."""
    body = _encode(event)
    connection.execute(statements.PUT_SCRUBBED, (position, body, checksum(position, body)))


def read_scrubbed(connection: sqlite3.Connection, position: int) -> Event:
    """The event that was put in the place of the one at a position."""
    row = connection.execute(_FIND_SCRUBBED, (position,)).fetchone()
    return _decode(row[0]) if row else GONE


def blank_rejected(connection: sqlite3.Connection, rejected_ids: Iterable[int]) -> None:
    """Take what rejected events said, in the caller's transaction; that there were any, and why, stays."""
    for rejected_id in rejected_ids:
        [length] = connection.execute(
            "SELECT length(body) FROM rejected WHERE rejected_id = ?", (rejected_id,)
        ).fetchone()
        blank = b"{}".ljust(length)[:length]
        connection.execute(
            "UPDATE rejected SET body = ?, state = 'dropped' WHERE rejected_id = ?", (blank, rejected_id)
        )


def rewrite_states(connection: sqlite3.Connection, table: str) -> None:
    """Write one table of states anew, in the caller's transaction; the pages of the old one are zeroed."""
    connection.execute(make_table("state_anew"))
    connection.execute(f"INSERT INTO state_anew SELECT key, body FROM {table} ORDER BY key")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE state_anew RENAME TO {table}")


def tables_of(entities: Iterable[EntityKey]) -> list[str]:
    """The tables in which the states of these lie."""
    found = {table_of(entity) for entity in entities}
    return [table for table in TABLES if table in found]


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring all that was committed to the database file and cut SQLite's own log to nothing; False while it is read."""
    row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(row[0] == 0)
