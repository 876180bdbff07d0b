"""The one writer: commits all that waits in one transaction, so durability costs one flush for many (decision 2)."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from abuse_service.errors import StorageUnavailable
from abuse_service.events.event import ERASING_TYPES, Event
from abuse_service.events.log import Appended, Rejected
from abuse_service.identities.erasure import Erasure
from abuse_service.storage import statements
from abuse_service.storage.blocks import checksum, pack_events
from abuse_service.storage.erasures import erasure_rows
from abuse_service.storage.index import RecentIndex

_MOST_EVENTS_A_COMMIT = 20_000
_RETRY_SECONDS = 0.5
_LINGER_SECONDS = 0.01
"""How long a record waits for others before its commit; a caller who waits for the disk ends the wait."""


class Waiting(msgspec.Struct):
    """An append that waits for its commit. ``may_wait`` are records whose effect was already answered."""

    events: list[Event]
    keys: list[bytes]
    packed: bytes
    rejected: list[Rejected]
    may_wait: bool
    context: Any = None
    result: Appended | StorageUnavailable | None = None


def wait(events: list[Event], rejected: list[Rejected], *, may_wait: bool, context: Any = None) -> Waiting:
    """An append made ready for the writer's thread, which then has next to nothing to do in Python."""
    packed = pack_events(events) if events else b""
    return Waiting(events, [event.event_key for event in events], packed, rejected, may_wait, context)


class Task(msgspec.Struct):
    """Any other write, run between two commits in a transaction of its own."""

    run: Callable[[sqlite3.Connection], Any]
    context: Any = None
    error: Exception | None = None
    is_alone: bool = False
    """Without a transaction: SQLite's own upkeep takes none."""


class Writer:
    """Owns the writing connection and the thread that uses it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        index: RecentIndex,
        last_position: int,
        done: Callable[[list[Waiting | Task]], None],
    ) -> None:
        """``done`` is called on the writer's thread after each commit, with what was committed or failed."""
        self._connection = connection
        self._index = index
        self._last_position = last_position
        self._done = done
        self.held_records = 0
        self._queue: queue.SimpleQueue[Waiting | Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="abuse-log-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Waiting | Task) -> None:
        """Hand over a write; `done` tells what became of it."""
        self._queue.put(entry)

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        held: list[Waiting] = []
        is_open = True
        while is_open:
            entries, is_open = self._take(timeout=_RETRY_SECONDS if held else None)
            appends = held + [entry for entry in entries if isinstance(entry, Waiting)]
            held = self._commit(appends) if appends else []
            self.held_records = len(held)
            for task in entries:
                if isinstance(task, Task) and held:
                    # An image must not come to disk before the records that it holds.
                    task.error = StorageUnavailable()
                elif isinstance(task, Task):
                    self._run_task(task)
            told: list[Waiting | Task] = [append for append in appends if append.result is not None]
            self._done(told + [entry for entry in entries if isinstance(entry, Task)])

    def _take(self, timeout: float | None) -> tuple[list[Waiting | Task], bool]:
        """All that waits now, up to one commit's worth; whether more may come.

        Records alone linger for company: nobody waits for them, and a commit each would keep the thread busy.
        """
        entries: list[Waiting | Task] = []
        events = 0
        linger_until = 0.0
        try:
            entry = self._queue.get(timeout=timeout)
            while entry is not None:
                entries.append(entry)
                if isinstance(entry, Task):
                    return entries, True
                events += len(entry.events)
                if events >= _MOST_EVENTS_A_COMMIT:
                    return entries, True
                if not entry.may_wait:
                    linger_until = -1.0
                elif linger_until == 0.0:
                    linger_until = time.monotonic() + _LINGER_SECONDS
                wait_seconds = linger_until - time.monotonic()
                entry = self._queue.get(timeout=wait_seconds) if wait_seconds > 0 else self._queue.get_nowait()
        except queue.Empty:
            return entries, True
        return entries, False

    def _commit(self, appends: list[Waiting]) -> list[Waiting]:
        """Commit the appends together; returns the records to try again when the disk took nothing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            kept = self._write(appends)
            self._note_erasures(kept)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            failure = StorageUnavailable(f"the data directory takes no more writes ({error}); nothing was acknowledged")
            for append in appends:
                append.result = None if append.may_wait else failure
            return [append for append in appends if append.may_wait]
        for part in kept:
            self._index.add(part.events, part.keys, self._last_position + 1)
            self._last_position += len(part.events)
        return []

    def _write(self, appends: list[Waiting]) -> list[Waiting]:
        """Lay the new events of all appends into one block; returns what was laid."""
        keys = appends[0].keys if len(appends) == 1 else [key for append in appends for key in append.keys]
        known = self._index.known(keys, self._connection)
        has_repeats = bool(known) or len(set(keys)) < len(keys)
        position, kept = self._last_position, []
        for append in appends:
            part = append
            if has_repeats:
                part, append.result = _leave_out(append, known, position)
            else:
                append.result = Appended(range(position + 1, position + 1 + len(append.events)))
            if part.events:
                kept.append(part)
                position += len(part.events)
            if append.rejected:
                self._connection.executemany(statements.ADD_REJECTED, [_row(entry) for entry in append.rejected])
        if kept:
            first = self._last_position + 1
            body = kept[0].packed if len(kept) == 1 else b"".join([part.packed for part in kept])
            self._connection.execute(statements.ADD_BLOCK, (first, position - first + 1, body, checksum(first, body)))
        return kept

    def _note_erasures(self, kept: list[Waiting]) -> None:
        """What the events ask to erase is known with them, or neither is."""
        asking = [event for part in kept for event in part.events if event.type in ERASING_TYPES]
        erasures = [Erasure(event.identity_entity, event.received_at_ms) for event in asking if event.identity_entity]
        if erasures:
            self._connection.execute(statements.ADD_ERASURES, erasure_rows(erasures))

    def _run_task(self, task: Task) -> None:
        try:
            if not task.is_alone:
                self._connection.execute("BEGIN IMMEDIATE")
            task.run(self._connection)
            if not task.is_alone:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            task.error = StorageUnavailable(f"the data directory takes no more writes ({error})")
        except Exception as error:
            # The thread must outlive a task's own mistake: everybody's writes go through it.
            self._roll_back()
            task.error = error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _leave_out(append: Waiting, known: dict[bytes, bytes], position: int) -> tuple[Waiting, Appended]:
    """The append without what is known already; what it adds is known from then on."""
    kept: list[Event] = []
    positions: list[int] = []
    conflicts: list[int] = []
    for place, event in enumerate(append.events):
        earlier = known.get(event.event_key) if event.event_key else None
        if earlier is None:
            position += 1
            kept.append(event)
            positions.append(position)
            if event.event_key:
                known[event.event_key] = event.content_key
            continue
        positions.append(0)
        if event.content_key and earlier not in (b"", event.content_key):
            conflicts.append(place)
    part = append if len(kept) == len(append.events) else wait(kept, [], may_wait=append.may_wait)
    return part, Appended(positions, tuple(conflicts))


def _row(entry: Rejected) -> Sequence[Any]:
    return entry.received_at_ms, entry.source, entry.index, entry.path, entry.message, entry.body
