"""Dropping the oldest events of the log once the image holds them (0024).

From then on the image is the base of everything: it is never discarded, and a version that can't read it refuses to
start.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from abuse_service.events.event import LIST_CHANGED, POLICY_ACTIVATED, Event, Stored
from abuse_service.storage import statements
from abuse_service.storage.blocks import unpack_block
from abuse_service.storage.erase import put_scrubbed
from abuse_service.storage.index import INDEXED_POSITION

LOG_BEGINS = "log_begins"
"""Name of the meta row: the position of the first event that was not dropped."""

SPARED_TYPES = frozenset({POLICY_ACTIVATED, LIST_CHANGED})
"""What must be read again at any age: policies' texts, and what operators wrote in lists."""

_decode = msgspec.msgpack.Decoder(Event).decode
_OLDEST_BLOCKS = "SELECT position, events, body FROM block ORDER BY position LIMIT ?"


def log_begins(connection: sqlite3.Connection) -> int:
    """The position of the first event that was not dropped."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (LOG_BEGINS,)).fetchone()
    return int(row[0]) if row else 1


def find_droppable(connection: sqlite3.Connection, before_ms: int, most: int, held: int) -> int:
    """How many of the oldest blocks hold nothing but events received before an instant, ``most`` at most.

    None of them holds an event behind the position ``held``, or one that image and index on disk do not hold.
    """
    indexed = connection.execute("SELECT value FROM meta WHERE name = ?", (INDEXED_POSITION,)).fetchone()
    image = connection.execute("SELECT position FROM snapshot").fetchone()
    held = min(held, *(int(row[0]) if row else 0 for row in (indexed, image)))
    found = 0
    for position, events, body in connection.execute(_OLDEST_BLOCKS, (most,)):
        if position + events - 1 > held:
            break
        if any(event.type and event.received_at_ms >= before_ms for event in unpack_block(body)):
            break
        found += 1
    return found


def drop_blocks(connection: sqlite3.Connection, number: int) -> None:
    """Drop the oldest blocks, in the caller's transaction; what must stay readable lies beside the log then."""
    for position, events, body in connection.execute(_OLDEST_BLOCKS, (number,)).fetchall():
        for place, event in enumerate(unpack_block(body), position):
            if event.type in SPARED_TYPES:
                put_scrubbed(connection, place, event)
        behind = position + events
        scrubbed = connection.execute(
            "SELECT position, body FROM scrubbed WHERE position >= ? AND position < ?", (position, behind)
        ).fetchall()
        for place, kept in scrubbed:
            if _decode(kept).type not in SPARED_TYPES:
                connection.execute("DELETE FROM scrubbed WHERE position = ?", (place,))
        connection.execute("DELETE FROM block WHERE position = ?", (position,))
        connection.execute(statements.PUT_META, (LOG_BEGINS, behind))


def read_spared(connection: sqlite3.Connection, after: int, before: int) -> Iterator[Stored]:
    """Events between two positions that outlived the log there."""
    rows = connection.execute(
        "SELECT position, body FROM scrubbed WHERE position > ? AND position < ? ORDER BY position", (after, before)
    )
    for position, body in rows:
        yield Stored(position, _decode(body))
