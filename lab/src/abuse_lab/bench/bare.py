"""What durability costs at the least: bare msgspec, bare SQLite, one thread, no HTTP, no judgement."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from abuse_client.contract import KnownEvent


class _Raw(msgspec.Struct):
    events: list[msgspec.Raw]


class _Typed(msgspec.Struct):
    events: list[KnownEvent]


def bare_events_per_second(bodies: Sequence[bytes], path: Path) -> float:
    """Decode each batch to contract types and write a row an event, a commit a batch, as durable as the service."""
    raw, typed = msgspec.json.Decoder(_Raw).decode, msgspec.json.Decoder(_Typed).decode
    connection = open_bare(path)
    connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, occurred_at INTEGER, body BLOB NOT NULL)")
    count = 0
    started = time.perf_counter()
    for body in bodies:
        rows = [(event.occurred_at, whole) for event, whole in zip(typed(body).events, raw(body).events, strict=True)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO event (occurred_at, body) VALUES (?, ?)", rows)
        connection.execute("COMMIT")
        count += len(rows)
    seconds = time.perf_counter() - started
    connection.close()
    return count / seconds


def open_bare(path: Path) -> sqlite3.Connection:
    """A database as durable as the service's, and with as large a cache."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -8192")
    return connection
