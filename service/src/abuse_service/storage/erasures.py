"""Erasures as the database keeps them, and the writes that carry one out."""

import asyncio
import functools
import json
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from abuse_service.errors import StorageUnavailable
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.identities.erasure import Erasure
from abuse_service.storage import statements
from abuse_service.storage.erase import blank_rejected, empty_log, rewrite_events, rewrite_states, tables_of
from abuse_service.storage.journal import ErasureJournal
from abuse_service.storage.states import table_of
from abuse_service.telemetry import log

_PAUSE_SECONDS = 0.05
_MOST_TRIES = 200

_SELECT = "SELECT entity, requested_at_ms, done_at_ms FROM erasure"


class SqliteErasures:
    """The table of erasures and its journal, and what an erasure does to the other tables."""

    def __init__(
        self,
        reader: sqlite3.Connection,
        run: Callable[..., Awaitable[None]],
        forget: Callable[[], None],
        journal: ErasureJournal,
    ) -> None:
        """``run`` runs a write on the writer's thread; ``forget`` drops copies of events that are held in memory."""
        self._reader = reader
        self._run = run
        self._forget = forget
        self._journal = journal
        self._noted: set[EntityKey] = set()

    def take_journal(self) -> set[EntityKey]:
        """Bring table and journal to the same; those that the journal alone knew: the data are an older backup's.

        Only before writes begin. Raises `RefusedToStart` or `StorageUnavailable`.
        """
        known = {erasure.entity: erasure for erasure in self.known()}
        noted = {erasure.entity: erasure for erasure in self._journal.read()}
        missing = [noted[entity] for entity in noted.keys() - known.keys()]
        self._noted = set(noted)
        try:
            self._reader.execute(statements.ADD_ERASURES, erasure_rows(missing))
        except sqlite3.Error as error:
            raise StorageUnavailable(f"erasures of a later time can't be noted: {error}") from None
        self._add_to_journal(known.values())
        return {one.entity for one in missing}

    async def note(self, erasures: Collection[Erasure]) -> None:
        """Note them beside the key. A folder that takes no writes is no reason to stop: the next start notes them."""
        await self._run(lambda connection: self._add_to_journal(erasures), alone=True)

    def _add_to_journal(self, erasures: Iterable[Erasure]) -> None:
        new = [one for one in erasures if one.entity not in self._noted]
        if not new:
            return
        try:
            self._journal.add(new)
        except OSError as error:
            log.error("erasures can't be noted beside the key; a backup would bring them back", fault=error.strerror)
            return
        self._noted.update(one.entity for one in new)

    def known(self) -> list[Erasure]:
        """Every erasure."""
        return [Erasure(*row) for row in self._reader.execute(_SELECT)]

    def newest(self, limit: int) -> list[Erasure]:
        """Those that were asked for last, newest first."""
        return [
            Erasure(*row) for row in self._reader.execute(f"{_SELECT} ORDER BY requested_at_ms DESC LIMIT ?", (limit,))
        ]

    def find(self, entity: EntityKey) -> Erasure | None:
        """That of an identity."""
        row = self._reader.execute(f"{_SELECT} WHERE entity = ?", (entity,)).fetchone()
        return Erasure(*row) if row else None

    def holds_state(self, entity: EntityKey) -> bool:
        """Whether the image knows an identity."""
        statement = f"SELECT 1 FROM {table_of(entity)} WHERE key = ?"
        return self._reader.execute(statement, (entity,)).fetchone() is not None

    async def replace(self, scrubbed: Mapping[int, Event]) -> None:
        """Put events in the place of those of the log, by position. Raises `StorageUnavailable`."""
        await self._run(functools.partial(_replace, dict(scrubbed)))
        self._forget()

    def rejected_behind(self, rejected_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Rejected events, open and closed, behind an id: ids and bodies."""
        rows = self._reader.execute(
            "SELECT rejected_id, body FROM rejected WHERE rejected_id > ? ORDER BY rejected_id LIMIT ?",
            (rejected_id, limit),
        )
        return [(row[0], row[1]) for row in rows]

    async def blank_rejected(self, rejected_ids: Collection[int]) -> None:
        """Take what rejected events said. Raises `StorageUnavailable`."""
        await self._run(lambda connection: blank_rejected(connection, rejected_ids))

    async def clean(self, entities: Iterable[EntityKey]) -> None:
        """Leave nothing in free space of what the states of these and the log said. Raises `StorageUnavailable`."""
        for table in tables_of(entities):
            await self._run(functools.partial(_rewrite, table))
        for _ in range(_MOST_TRIES):
            emptied: list[bool] = []
            await self._run(lambda connection, told=emptied: told.append(empty_log(connection)), alone=True)
            if emptied == [True]:
                return
            # Somebody reads; he is done in a moment.
            await asyncio.sleep(_PAUSE_SECONDS)
        raise StorageUnavailable("the database's own log can't be emptied while it is read")

    async def finish(self, entities: Collection[EntityKey], at_ms: int) -> None:
        """Note that these are done. Raises `StorageUnavailable`."""
        rows = [(at_ms, entity) for entity in entities]
        statement = "UPDATE erasure SET done_at_ms = ? WHERE entity = ?"
        await self._run(lambda connection: connection.executemany(statement, rows))


def erasure_rows(erasures: Sequence[Erasure]) -> dict[str, object]:
    """What `ADD_ERASURES` takes."""
    times = [one.requested_at_ms for one in erasures]
    return {"keys": b"".join([one.entity for one in erasures]), "times": json.dumps(times)}


def _replace(scrubbed: Mapping[int, Event], connection: sqlite3.Connection) -> Any:
    rewrite_events(connection, scrubbed)


def _rewrite(table: str, connection: sqlite3.Connection) -> Any:
    rewrite_states(connection, table)
