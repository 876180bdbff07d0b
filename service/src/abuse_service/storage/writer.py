"""The one writer: commits all that waits in one transaction, so durability costs one flush for many (decision 2)."""

import json
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from abuse_service.errors import StorageUnavailable
from abuse_service.events.event import Event
from abuse_service.events.log import Appended, Rejected
from abuse_service.identities.states import Cut
from abuse_service.storage import statements
from abuse_service.storage.blocks import pack_events

_MOST_EVENTS_A_COMMIT = 20_000
_STATES_A_STATEMENT = 5_000
_RETRY_SECONDS = 0.5
_NO_CONTENT = bytes(8)


class Waiting(msgspec.Struct):
    """An append that waits for its commit. ``may_wait`` are records whose effect was already answered."""

    events: list[Event]
    packed: bytes
    rejected: list[Rejected]
    may_wait: bool
    context: Any = None
    result: Appended | StorageUnavailable | None = None


class Task(msgspec.Struct):
    """Any other write, run between two commits in a transaction of its own."""

    run: Callable[[sqlite3.Connection], None]
    context: Any = None
    error: StorageUnavailable | None = None


class Writer:
    """Owns the writing connection and the thread that uses it."""

    def __init__(
        self, connection: sqlite3.Connection, last_position: int, done: Callable[[list[Waiting | Task]], None]
    ) -> None:
        """``done`` is called on the writer's thread after each commit, with what was committed or failed."""
        self._connection = connection
        self._last_position = last_position
        self._done = done
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

    def _run(self) -> None:
        held: list[Waiting] = []
        is_open = True
        while is_open:
            entries, is_open = self._take(timeout=_RETRY_SECONDS if held else None)
            appends = held + [entry for entry in entries if isinstance(entry, Waiting)]
            held = self._commit(appends) if appends else []
            if held and not is_open:
                held = self._commit(held)
            for task in entries:
                if isinstance(task, Task):
                    self._run_task(task)
            held_ids = {id(append) for append in held}
            self._done(
                [entry for entry in appends if id(entry) not in held_ids] + [e for e in entries if isinstance(e, Task)]
            )

    def _take(self, timeout: float | None) -> tuple[list[Waiting | Task], bool]:
        """All that waits now, up to one commit's worth; whether more may come."""
        entries: list[Waiting | Task] = []
        events = 0
        try:
            entry = self._queue.get(timeout=timeout)
            while entry is not None:
                entries.append(entry)
                if isinstance(entry, Task):
                    return entries, True
                events += len(entry.events)
                if events >= _MOST_EVENTS_A_COMMIT:
                    return entries, True
                entry = self._queue.get_nowait()
        except queue.Empty:
            return entries, True
        return entries, False

    def _commit(self, appends: list[Waiting]) -> list[Waiting]:
        """Commit the appends together; returns the records to try again when the disk took nothing."""
        position = self._last_position
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._last_position = self._write(appends, position)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._last_position = position
            self._roll_back()
            failure = StorageUnavailable(f"the data directory takes no more writes ({error}); nothing was acknowledged")
            for append in appends:
                if not append.may_wait:
                    append.result = failure
            return [append for append in appends if append.may_wait]
        return []

    def _write(self, appends: list[Waiting], position: int) -> int:
        """Lay the new events of all appends into one block. Returns the new last position."""
        known = self._known_keys(appends)
        parts: list[bytes] = []
        keys: list[bytes] = []
        contents: list[bytes] = []
        key_positions: list[int] = []
        requests: list[tuple[int, int]] = []
        first, place = position + 1, 0
        for append in appends:
            kept, positions, conflicts = [], [], []
            for index, event in enumerate(append.events):
                if event.event_key:
                    earlier = known.get(place)
                    place += 1
                    if earlier is not None:
                        positions.append(0)
                        if event.content_key and earlier not in (b"", event.content_key):
                            conflicts.append(index)
                        continue
                position += 1
                positions.append(position)
                kept.append(event)
                if event.event_key:
                    keys.append(event.event_key)
                    contents.append(event.content_key or _NO_CONTENT)
                    key_positions.append(position)
                if event.request_id:
                    requests.append((event.request_id, position))
            if kept:
                parts.append(append.packed if len(kept) == len(append.events) else pack_events(kept))
            append.result = Appended(tuple(positions), tuple(conflicts))
        execute = self._connection.execute
        if parts:
            execute(statements.ADD_BLOCK, (first, position - first + 1, b"".join(parts)))
        if keys:
            execute(
                statements.ADD_KEYS,
                {"keys": b"".join(keys), "contents": b"".join(contents), "positions": json.dumps(key_positions)},
            )
        if requests:
            execute(statements.ADD_REQUESTS, {"requests": json.dumps(requests)})
        for append in appends:
            if append.rejected:
                self._connection.executemany(statements.ADD_REJECTED, [_row(entry) for entry in append.rejected])
        return position

    def _known_keys(self, appends: list[Waiting]) -> dict[int, bytes]:
        """Which keyed events are repeats, by their place among all keyed ones; with the first copy's content key."""
        keyed = [event for append in appends for event in append.events if event.event_key]
        if not keyed:
            return {}
        found: str | None = self._connection.execute(
            statements.KNOWN_KEYS, {"count": len(keyed), "keys": b"".join(event.event_key for event in keyed)}
        ).fetchone()[0]
        known = {}
        for entry in found.split(",") if found else ():
            index, _, content = entry.split(":")
            known[int(index)] = bytes.fromhex(content)
        if len({event.event_key for event in keyed}) < len(keyed):
            firsts: dict[bytes, bytes] = {}
            for place, event in enumerate(keyed):
                if event.event_key in firsts:
                    known.setdefault(place, firsts[event.event_key])
                else:
                    firsts[event.event_key] = event.content_key
        return known

    def _run_task(self, task: Task) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            task.run(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            task.error = StorageUnavailable(f"the data directory takes no more writes ({error})")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def write_cut(connection: sqlite3.Connection, cut: Cut, body: bytes) -> None:
    """Replace the image on disk by a finished cut."""
    items = list(cut.packed.items())
    for start in range(0, len(items), _STATES_A_STATEMENT):
        chunk = items[start : start + _STATES_A_STATEMENT]
        spans, offset = [], 1
        for _, packed in chunk:
            spans.append((offset, len(packed)))
            offset += len(packed)
        connection.execute(
            statements.PUT_STATES,
            {
                "keys": b"".join(key for key, _ in chunk),
                "bodies": b"".join(packed for _, packed in chunk),
                "spans": json.dumps(spans),
            },
        )
    connection.execute(statements.PUT_SNAPSHOT, (cut.position, body))


def _row(entry: Rejected) -> tuple[int, str, int, str, str, bytes]:
    return entry.received_at_ms, entry.source, entry.index, entry.path, entry.message, entry.body
