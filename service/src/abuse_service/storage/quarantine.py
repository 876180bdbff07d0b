"""Rejected events, kept until an operator has looked at them."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from abuse_service.errors import NotFound
from abuse_service.events.log import Rejected

Write = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[None]]

_SELECT = "SELECT rejected_id, received_at_ms, source, place, path, message, body, state FROM rejected"


class SqliteQuarantine:
    """The table of rejected events. Rows are added by the log, in the commit of their batch."""

    def __init__(self, reader: sqlite3.Connection, write: Write) -> None:
        self._reader = reader
        self._write = write

    def list_rejected(self, limit: int) -> list[Rejected]:
        """The waiting ones, oldest first."""
        rows = self._reader.execute(f"{_SELECT} WHERE state = 'waiting' ORDER BY rejected_id LIMIT ?", (limit,))
        return [_rejected(row) for row in rows]

    def find_rejected(self, rejected_id: int) -> Rejected:
        """One of them. Raises `NotFound`."""
        row = self._reader.execute(f"{_SELECT} WHERE rejected_id = ?", (rejected_id,)).fetchone()
        if row is None:
            raise NotFound("no rejected event has this id", path="rejected_id")
        return _rejected(row)

    async def close_rejected(self, rejected_id: int, state: str) -> None:
        """Mark one as ``retried`` or ``dropped``. Raises `StorageUnavailable`."""
        statement = "UPDATE rejected SET state = ? WHERE rejected_id = ?"
        await self._write(lambda connection: connection.execute(statement, (state, rejected_id)))


def _rejected(row: tuple[Any, ...]) -> Rejected:
    return Rejected(
        rejected_id=row[0],
        received_at_ms=row[1],
        source=row[2],
        index=row[3],
        path=row[4],
        message=row[5],
        body=row[6],
        state=row[7],
    )
