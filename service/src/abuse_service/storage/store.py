"""The embedded store: log, cold states and snapshots in one SQLite file."""

import asyncio
import functools
import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from abuse_service.errors import RefusedToStart, StorageUnavailable
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event, Stored
from abuse_service.events.log import Appended, Rejected
from abuse_service.identities.states import Cut
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage import statements
from abuse_service.storage.directory import DataDirectory
from abuse_service.storage.erasures import SqliteErasures
from abuse_service.storage.index import INDEXED_POSITION, Generation, RecentIndex, chunks, request_rows
from abuse_service.storage.journal import ErasureJournal
from abuse_service.storage.key_file import key_file_beside, read_secret
from abuse_service.storage.log_reader import LogReader
from abuse_service.storage.quarantine import SqliteQuarantine
from abuse_service.storage.reading import KeptIndex, Step, clear_index, index_steps
from abuse_service.storage.request_ids import RequestIds, reserve_block
from abuse_service.storage.retention import drop_blocks, find_droppable
from abuse_service.storage.states import TABLES, read_snapshot, table_of, write_cut
from abuse_service.storage.writer import Task, Waiting, Writer, wait
from abuse_service.telemetry import log

K = TypeVar("K", int, bytes)

_STEPS_AT_ONCE = 3
"""Writes to the index in one transaction: all of a small cut, and some milliseconds of a large one."""

Then = Callable[[Appended], None]


class SqliteStore:
    """Everything durable of an embedded service. All methods are for one thread, the event loop's."""

    def __init__(self, path: Path, waiting_bytes: int, key_file: Path | None = None) -> None:
        """Open the directory; its key lies in ``key_file``, or beside it.

        Raises `DirectoryInUse`, `RefusedToStart` or `StorageUnavailable`.
        """
        self.directory = DataDirectory(path)
        try:
            self._reader = self.directory.connect()
            self.directory.prepare(self._reader)
            key_file = key_file or key_file_beside(path)
            self.secret = read_secret(key_file, self._reader)
            journal = ErasureJournal(key_file.with_suffix(".erased"))
            self._log = LogReader(self._reader)
            self.erasures = SqliteErasures(self._reader, self._run, self._log.forget_block, journal)
            self.restored = self.erasures.take_journal()
            self._last_position = self._log.find_last_position()
            self._ids = RequestIds(reserve_block(self._reader))
        except sqlite3.Error as error:
            self.directory.close()
            raise StorageUnavailable(f"can't open the database in {path}: {error}") from None
        except Exception:
            self.directory.close()
            raise
        self._most_waiting_bytes = waiting_bytes
        self._waiting_bytes = 0
        self._pending_requests: dict[int, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: Writer | None = None
        self.quarantine = SqliteQuarantine(self._reader, self._run)
        self.kept_index = KeptIndex(self._reader)
        self._index = RecentIndex()
        self._recent_requests: dict[int, int] = {}
        self._recent_keys: dict[bytes, int] = {}
        self._has_failed = False

    # the log

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take writes, and tell their outcome on ``loop``."""
        self._loop = loop
        self._read_index()
        connection = self.directory.connect()
        self._writer = Writer(connection, self._index, self._last_position, self._done_on_writer_thread)

    def append(
        self, events: list[Event], rejected: list[Rejected] | None = None, then: Then | None = None
    ) -> Awaitable[Appended]:
        """Make the events durable together.

        ``then`` is called at once after the commit, in the order of positions, before the awaiting caller goes on.
        Raises `StorageUnavailable`; then nothing was kept.
        """
        assert self._loop is not None
        future: asyncio.Future[Appended] = self._loop.create_future()
        entry = wait(events, rejected or [], may_wait=False, context=(future, then))
        if self._waiting_bytes and self._waiting_bytes + _size(entry) > self._most_waiting_bytes:
            raise StorageUnavailable("the disk can't keep up; nothing was acknowledged, send it again")
        self._enqueue(entry)
        return future

    def record(self, event: Event, then: Then | None = None) -> None:
        """Append soon. While the disk is full a record waits in memory; see `has_room`."""
        if event.request_id:
            self._pending_requests[event.request_id] = None
        self._enqueue(wait([event], [], may_wait=True, context=(None, then)))

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind position ``after`` in order, all or ``limit``; of those that were dropped the few that stay."""
        return self._log.read(after, limit)

    def find(self, position: int) -> Stored | None:
        """The event at a position."""
        return self._log.find(position)

    def find_all(self, positions: Sequence[int]) -> list[Stored]:
        """The events at these positions, in this order; those that are gone are left out."""
        return self._log.find_all(positions)

    @property
    def first_position(self) -> int:
        """Position of the oldest event that was not dropped."""
        return self._log.first_position

    def find_request(self, request_id: int) -> Stored | None:
        """The event that holds the decision with this request id."""
        position = self._recent_requests.get(request_id)
        if position is None:
            row = self._reader.execute("SELECT position FROM request WHERE request_id = ?", (request_id,)).fetchone()
            position = row[0] if row else None
        return self.find(position) if position else None

    def find_event(self, event_key: bytes) -> Stored | None:
        """The event that was kept under this key."""
        position = self._recent_keys.get(event_key)
        if position is None:
            row = self._reader.execute("SELECT position FROM event_key WHERE key = ?", (event_key,)).fetchone()
            position = row[0] if row else None
        return self.find(position) if position else None

    @property
    def last_position(self) -> int:
        """Position of the newest event that is durable and told."""
        return self._last_position

    @property
    def pending_requests(self) -> tuple[int, ...]:
        """Request ids that were recorded and are not durable yet."""
        return tuple(self._pending_requests)

    async def settle(self) -> None:
        """Wait until all that was recorded so far is durable. Raises `StorageUnavailable`."""
        await self._run(lambda connection: None)
        if self._pending_requests and self.is_failing:
            raise StorageUnavailable

    @property
    def has_room(self) -> bool:
        """Whether one more record may wait for the disk."""
        return self._waiting_bytes < self._most_waiting_bytes

    @property
    def is_failing(self) -> bool:
        """Whether the disk refused the last write, or holds records up."""
        return self._has_failed or (self._writer is not None and self._writer.held_records > 0)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for the disk."""
        return self._waiting_bytes

    def next_request_id(self) -> int:
        """An id never issued before and never again, also after a crash; 0 when none can be had."""
        if self._ids.wants_block():
            self._reserve_block()
        return self._ids.issue()

    # states and snapshots

    def load(self, key: bytes) -> bytes | None:
        """The packed state of the last finished cut."""
        row = self._reader.execute(f"SELECT body FROM {table_of(key)} WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def load_owners(self, join: EntityKey) -> dict[EntityKey, int]:
        """Who claims a Stripe id, by the last finished cut."""
        return dict(self._reader.execute("SELECT owner, position FROM claim WHERE stripe_id = ?", (join,)))

    def load_unnamed(self, join: EntityKey) -> list[int]:
        """Positions of events that carry a Stripe id and name no user, by the last finished cut."""
        rows = self._reader.execute("SELECT position FROM unnamed WHERE stripe_id = ?", (join,))
        return [position for (position,) in rows]

    def unnamed_joins(self) -> Iterator[EntityKey]:
        """Every id that `load_unnamed` knows something of."""
        for (join,) in self._reader.execute("SELECT DISTINCT stripe_id FROM unnamed"):
            yield join

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log."""
        stored = self.find(position)
        return stored.event if stored else None

    def latest_snapshot(self) -> Snapshot | None:
        """What the states on disk are an image of."""
        return read_snapshot(self._reader)

    async def drop_oldest(self, before_ms: int, most: int, held: int) -> int:
        """Drop some of the oldest blocks that hold nothing received since an instant; how many.

        None of them holds an event behind ``held`` or the image. Raises `StorageUnavailable`.
        """
        number = find_droppable(self._reader, before_ms, most, held)
        if number:
            await self._run(lambda connection: drop_blocks(connection, number))
            self._log.note_dropped()
        return number

    async def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> None:
        """Bring the index up to date and replace the image on disk. Raises `StorageUnavailable`; then both stay."""
        moved: list[Generation] = []
        # On the writer's thread, to which the index belongs: an entry that is added meanwhile would be lost.
        await self._run(lambda connection: moved.append(self._index.begin_move()))
        generation = moved[0]
        for chunk in chunks(generation):
            await self._run(functools.partial(_add_keys, chunk))
        steps = index_steps(cut)
        while some := list(itertools.islice(steps, _STEPS_AT_ONCE)):
            await self._run(functools.partial(_take_steps, some))
        body = msgspec.msgpack.encode(snapshot)

        def finish(connection: sqlite3.Connection) -> None:
            connection.execute(statements.ADD_REQUESTS, request_rows(generation))
            connection.execute(statements.PUT_META, (INDEXED_POSITION, generation.last_position))
            write_cut(connection, cut, body)

        await self._run(finish)
        self._index.end_move()
        self._recent_requests = _behind(self._recent_requests, generation.last_position)
        self._recent_keys = _behind(self._recent_keys, generation.last_position)

    def write_snapshot_now(self, cut: Cut, snapshot: Snapshot) -> None:
        """Replace the image on disk at once; only before `start`. Raises `StorageUnavailable`."""
        try:
            self._reader.execute("BEGIN IMMEDIATE")
            _take_steps(list(index_steps(cut)), self._reader)
            write_cut(self._reader, cut, msgspec.msgpack.encode(snapshot))
            self._reader.execute("COMMIT")
        except sqlite3.Error as error:
            if self._reader.in_transaction:
                self._reader.execute("ROLLBACK")
            raise StorageUnavailable(f"the data directory takes no more writes ({error})") from None

    def discard_snapshot(self) -> None:
        """Forget the image; only before `start`. Raises `RefusedToStart` where it holds what the log no longer does."""
        if self.first_position > 1:
            raise RefusedToStart(
                f"the log begins at position {self.first_position}, and the image that holds what came before has "
                "another format than this version reads; start the version that wrote it (see retention_days)"
            )
        try:
            self._reader.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                self._reader.execute(f"DELETE FROM {table}")
            self._reader.execute("DELETE FROM claim")
            self._reader.execute("DELETE FROM unnamed")
            self._reader.execute("DELETE FROM snapshot")
            clear_index(self._reader)
            self._reader.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageUnavailable(f"the old snapshot can't be discarded: {error}") from None

    def close(self) -> None:
        """Write what waits and give the directory back."""
        if self._writer is not None:
            self._writer.close()
            if self._writer.held_records:
                log.error(
                    "the disk took no more: decisions were answered and not kept", records=self._writer.held_records
                )
        self._reader.close()
        self.directory.close()

    # inside

    def _enqueue(self, entry: Waiting) -> None:
        self._waiting_bytes += _size(entry)
        assert self._writer is not None
        self._writer.submit(entry)

    async def _run(self, run: Callable[[sqlite3.Connection], Any], *, alone: bool = False) -> None:
        assert self._loop is not None
        assert self._writer is not None
        future: asyncio.Future[None] = self._loop.create_future()
        self._writer.submit(Task(run, future, is_alone=alone))
        await future

    def _done_on_writer_thread(self, entries: list[Waiting | Task]) -> None:
        if self._loop is not None and entries:
            self._loop.call_soon_threadsafe(self._tell, entries)

    def _tell(self, entries: list[Waiting | Task]) -> None:
        """Tell each caller what became of his write, in the order of positions."""
        for entry in entries:
            if isinstance(entry, Task):
                _resolve(entry.context, None, entry.error)
            else:
                self._tell_append(entry)

    def _tell_append(self, entry: Waiting) -> None:
        self._waiting_bytes -= _size(entry)
        result = entry.result
        future, then = entry.context or (None, None)
        if not isinstance(result, Appended):
            self._has_failed = True
            _resolve(future, None, result)
            return
        self._has_failed = False
        self._last_position = max(self._last_position, result.last_position)
        if entry.may_wait:
            self._note_record(entry.events[0], result.positions[0])
        if then is not None:
            try:
                then(result)
            except Exception as error:
                # His own trouble: those whose writes were committed beside his are told all the same.
                _resolve(future, None, error)
                return
        _resolve(future, result, None)

    def _note_record(self, event: Event, position: int) -> None:
        if event.request_id:
            self._pending_requests.pop(event.request_id, None)
            if position:
                self._recent_requests[event.request_id] = position
                if event.event_key:
                    self._recent_keys[event.event_key] = position

    def _read_index(self) -> None:
        """Read what the tables do not hold yet from the log."""
        row = self._reader.execute("SELECT value FROM meta WHERE name = ?", (INDEXED_POSITION,)).fetchone()
        indexed = row[0] if row else 0
        self._index.start_behind(indexed)
        for stored in self.read(indexed):
            self._index.add([stored.event], [stored.event.event_key], stored.position)
            self._note_record(stored.event, stored.position)

    def _reserve_block(self) -> None:
        reserved: list[tuple[int, int]] = []

        def told(future: "asyncio.Future[None]") -> None:
            if future.exception() is None:
                self._ids.renew(reserved[0])
            else:
                self._ids.give_up()

        assert self._loop is not None
        assert self._writer is not None
        future: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(told)
        self._writer.submit(Task(lambda connection: reserved.append(reserve_block(connection)), future))


def _size(entry: Waiting) -> int:
    size = len(entry.packed)
    return size + sum(len(rejected.body) for rejected in entry.rejected) if entry.rejected else size


def _take_steps(steps: list[Step], connection: sqlite3.Connection) -> None:
    for step in steps:
        step(connection)


def _add_keys(chunk: dict[str, object], connection: sqlite3.Connection) -> None:
    connection.execute(statements.ADD_KEYS, chunk)


def _behind(recent: dict[K, int], last_position: int) -> dict[K, int]:
    return {name: position for name, position in recent.items() if position > last_position}


def _resolve(future: "asyncio.Future[Any] | None", result: Any, error: Exception | None) -> None:
    if future is None or future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
