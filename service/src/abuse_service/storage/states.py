"""An image of the states, written to disk.

They lie in tables of some hundredth of them each: what an erasure has to write anew is small then (0023).
"""

import json
import sqlite3
from itertools import groupby

import msgspec

from abuse_service.identities.states import Cut
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage import statements

_decode_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_ROWS_A_STATEMENT = 1_000
_TABLES = 64
TABLES = tuple(f"state_{number:02}" for number in range(_TABLES))


def table_of(key: bytes) -> str:
    """The table in which a state lies: keys are hashes, any byte is evenly spread."""
    return TABLES[key[1] % _TABLES]


def make_table(name: str) -> str:
    """The statement that makes a table of states."""
    return f"CREATE TABLE {name} (key BLOB PRIMARY KEY CHECK (length(key) = 17), body BLOB NOT NULL) WITHOUT ROWID"


def read_snapshot(connection: sqlite3.Connection) -> Snapshot | None:
    """What the states on disk are an image of."""
    row = connection.execute("SELECT body FROM snapshot").fetchone()
    return _decode_snapshot(row[0]) if row else None


def write_cut(connection: sqlite3.Connection, cut: Cut, snapshot: bytes) -> None:
    """Replace the image on disk by a finished cut; ``snapshot`` says what it is an image of."""
    items = sorted((table_of(key), key, packed) for key, packed in cut.packed.items())
    for table, found in groupby(items, lambda item: item[0]):
        _put_states(connection, table, [(key, packed) for _, key, packed in found])
    claimed = cut.learned.claims.items()
    claims = sorted((join, owner, position) for join, owners in claimed for owner, position in owners.items())
    for start in range(0, len(claims), _ROWS_A_STATEMENT):
        joins, owners, positions = zip(*claims[start : start + _ROWS_A_STATEMENT], strict=True)
        given = {"ids": b"".join(joins), "owners": b"".join(owners), "positions": json.dumps(positions)}
        connection.execute(statements.ADD_CLAIMS, given)
    unnamed = sorted((join, position) for join, found in cut.learned.unnamed.items() for position in found)
    for start in range(0, len(unnamed), _ROWS_A_STATEMENT):
        joins, positions = zip(*unnamed[start : start + _ROWS_A_STATEMENT], strict=True)
        connection.execute(statements.ADD_UNNAMED, {"ids": b"".join(joins), "positions": json.dumps(positions)})
    connection.execute(statements.PUT_SNAPSHOT, (cut.position, snapshot))


def _put_states(connection: sqlite3.Connection, table: str, items: list[tuple[bytes, bytes]]) -> None:
    for start in range(0, len(items), _ROWS_A_STATEMENT):
        chunk = items[start : start + _ROWS_A_STATEMENT]
        spans, offset = [], 1
        for _, packed in chunk:
            spans.append((offset, len(packed)))
            offset += len(packed)
        connection.execute(
            statements.PUT_STATES.format(table=table),
            {
                "keys": b"".join([key for key, _ in chunk]),
                "bodies": b"".join([packed for _, packed in chunk]),
                "spans": json.dumps(spans),
            },
        )
