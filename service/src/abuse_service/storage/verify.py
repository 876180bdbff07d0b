"""Checking that a data directory holds what was written to it: the log to the byte, its indexes, and the states."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from abuse_service.errors import RefusedToStart
from abuse_service.events.event import Event, Stored
from abuse_service.identities.packing import STATE_FORMAT, unpack
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage import statements
from abuse_service.storage.blocks import checksum, unpack_block
from abuse_service.storage.directory_reader import open_to_read
from abuse_service.storage.index import INDEXED_POSITION
from abuse_service.storage.retention import log_begins
from abuse_service.storage.states import TABLES

MOST_FAULTS = 100
"""Faults that are told one by one; there may be more."""

_decode = msgspec.msgpack.Decoder(Event).decode
_decode_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_SCRUBBED = "SELECT position, CAST(body AS BLOB), checksum FROM scrubbed"


class Fault(msgspec.Struct, frozen=True):
    """One thing that is not as it was written: where, and what was found."""

    place: str
    found: str


class Verified(msgspec.Struct, kw_only=True):
    """What was checked, and what is wrong. ``unsummed`` blocks are older than checksums: their bytes can't be told."""

    first_position: int = 1
    last_position: int = 0
    events: int = 0
    states: int = 0
    unsummed: int = 0
    faults: list[Fault] = []

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def note(self, place: str, found: str) -> None:
        """Note a fault."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(place, found))


def verify(path: Path) -> Verified:
    """Check a data directory as it is at this instant, also while a service runs on it. Raises `RefusedToStart`."""
    connection = open_to_read(path)
    try:
        connection.execute("BEGIN")
        verified = Verified()
        _check_pages(connection, verified)
        _Log(connection, verified).check()
        _check_states(connection, verified)
        return verified
    except sqlite3.Error as error:
        raise RefusedToStart(f"the database in {path} can't be read: {error}") from None
    finally:
        connection.close()


def _check_pages(connection: sqlite3.Connection, verified: Verified) -> None:
    """SQLite's own check of its pages and indexes."""
    try:
        for (text,) in connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})"):
            if text != "ok":
                verified.note("database", text)
    except sqlite3.Error as error:
        verified.note("database", str(error))


class _Log:
    """The log: block after block, with what is kept beside it and what its indexes say."""

    def __init__(self, connection: sqlite3.Connection, verified: Verified) -> None:
        self._connection = connection
        self._verified = verified
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (INDEXED_POSITION,)).fetchone()
        self._indexed = int(row[0]) if row else 0
        self._young: dict[bytes, int] = {}

    def check(self) -> None:
        """Go through the log from its beginning to its end."""
        verified = self._verified
        expected = verified.first_position = log_begins(self._connection)
        rows = self._connection.execute("SELECT position, events FROM block ORDER BY position").fetchall()
        for position, events in rows:
            if position > expected:
                verified.note(_span(expected, position - 1), "missing from the log")
            elif position < expected:
                verified.note(_span(position, expected - 1), "in the log twice")
            self._check_block(position, events)
            expected = max(expected, position + events)
            verified.events += events
        verified.last_position = expected - 1
        self._check_scrubbed()
        self._check_index_ends()

    def _check_block(self, position: int, events: int) -> None:
        place = _span(position, position + events - 1)
        try:
            body, kept = self._connection.execute(
                "SELECT CAST(body AS BLOB), checksum FROM block WHERE position = ?", (position,)
            ).fetchone()
        except sqlite3.Error as error:
            self._verified.note(place, f"can't be read: {error}")
            return
        if kept is None:
            self._verified.unsummed += 1
        elif kept != (found := checksum(position, body)):
            self._verified.note(place, f"other bytes than were written: checksum {found:08x}, expected {kept:08x}")
        try:
            stored = [Stored(at, event) for at, event in enumerate(unpack_block(body), position)]
        except (msgspec.MsgspecError, ValueError, IndexError) as error:
            self._verified.note(place, f"can't be decoded: {error}")
            return
        if len(stored) != events:
            self._verified.note(place, f"{len(stored)} events, expected {events}")
        self._check_gone(one.position for one in stored if not one.event.type)
        self._check_keys([one for one in stored if one.event.event_key])

    def _check_gone(self, positions: Iterable[int]) -> None:
        for position in positions:
            row = self._connection.execute("SELECT 1 FROM scrubbed WHERE position = ?", (position,)).fetchone()
            if row is None:
                self._verified.note(f"position {position}", "erased, and what should be left of it is not there")

    def _check_keys(self, stored: list[Stored]) -> None:
        """Each id stands in the index with its event's position: another position tells an event that came twice."""
        keys = b"".join([one.event.event_key for one in stored])
        known = dict(self._connection.execute(statements.KEY_POSITIONS, {"count": len(stored), "keys": keys}))
        for place, one in enumerate(stored):
            key, position = one.event.event_key, one.position
            found = known.get(place) or self._young.get(key)
            if found is not None and found != position:
                self._verified.note(f"position {position}", f"the same event as at position {found}")
            elif found is None and position <= self._indexed:
                self._verified.note(f"position {position}", "missing from the index of ids")
            elif found is None:
                self._young[key] = position

    def _check_scrubbed(self) -> None:
        for position, body, kept in self._connection.execute(_SCRUBBED):
            place = f"position {position}"
            if kept is not None and kept != (found := checksum(position, body)):
                self._verified.note(place, f"what an erasure left: checksum {found:08x}, expected {kept:08x}")
            try:
                _decode(body)
            except msgspec.MsgspecError as error:
                self._verified.note(place, f"what an erasure left can't be decoded: {error}")

    def _check_index_ends(self) -> None:
        """No index names a position that the log does not have."""
        last = self._verified.last_position
        for table in ("event_key", "request"):
            [found] = self._connection.execute(f"SELECT count(*) FROM {table} WHERE position > ?", (last,)).fetchone()
            if found:
                self._verified.note(f"index {table}", f"{found} entries name positions behind the log's end at {last}")


def _check_states(connection: sqlite3.Connection, verified: Verified) -> None:
    row = connection.execute("SELECT body FROM snapshot").fetchone()
    if row is None:
        return
    try:
        snapshot = _decode_snapshot(row[0])
    except msgspec.MsgspecError as error:
        verified.note("image of the states", f"can't be decoded: {error}")
        return
    if snapshot.position > verified.last_position:
        verified.note("image of the states", f"of position {snapshot.position}, behind the log's end")
    if snapshot.state_format != STATE_FORMAT:
        return  # another version's: it is built anew at the next start
    for key, body in _states(connection, verified):
        try:
            unpack(key, body)
        except Exception as error:
            verified.note(f"state {key.hex()}", f"can't be decoded: {type(error).__name__}")
        verified.states += 1


def _states(connection: sqlite3.Connection, verified: Verified) -> Iterator[tuple[bytes, bytes]]:
    for table in TABLES:
        try:
            yield from connection.execute(f"SELECT key, CAST(body AS BLOB) FROM {table}")
        except sqlite3.Error as error:
            verified.note(f"table {table}", f"can't be read: {error}")


def _span(first: int, last: int) -> str:
    return f"position {first}" if first == last else f"positions {first} to {last}"
