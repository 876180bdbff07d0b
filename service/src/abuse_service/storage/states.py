"""An image of the states, written to disk."""

import json
import sqlite3

from abuse_service.identities.states import Cut
from abuse_service.storage import statements

_ROWS_A_STATEMENT = 1_000


def write_cut(connection: sqlite3.Connection, cut: Cut, snapshot: bytes) -> None:
    """Replace the image on disk by a finished cut; ``snapshot`` says what it is an image of."""
    items = sorted(cut.packed.items())
    for start in range(0, len(items), _ROWS_A_STATEMENT):
        chunk = items[start : start + _ROWS_A_STATEMENT]
        spans, offset = [], 1
        for _, packed in chunk:
            spans.append((offset, len(packed)))
            offset += len(packed)
        connection.execute(
            statements.PUT_STATES,
            {
                "keys": b"".join([key for key, _ in chunk]),
                "bodies": b"".join([packed for _, packed in chunk]),
                "spans": json.dumps(spans),
            },
        )
    owners = sorted(cut.owners.items())
    for start in range(0, len(owners), _ROWS_A_STATEMENT):
        part = owners[start : start + _ROWS_A_STATEMENT]
        parameters = {"ids": json.dumps([join for join, _ in part]), "keys": b"".join([key for _, key in part])}
        connection.execute(statements.ADD_OWNERS, parameters)
    connection.execute(statements.PUT_SNAPSHOT, (cut.position, snapshot))
