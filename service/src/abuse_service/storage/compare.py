"""Holding the states of two data directories against each other."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from abuse_service.identities.packing import unpack
from abuse_service.identities.state import State
from abuse_service.storage.directory_reader import open_to_read
from abuse_service.storage.states import TABLES
from abuse_service.storage.verify import Fault

_OTHERS = {
    "claim": "SELECT stripe_id, owner FROM claim",
    "unnamed": "SELECT stripe_id, position FROM unnamed",
    "mark": "SELECT identity, mark FROM mark",
}


def compare_images(kept: Path, made: Path, features: Collection[str]) -> Iterator[Fault]:
    """What differs between the image in one directory and that in another, each by its key and the parts that differ.

    Of the features those count that are named: a state may hold left-overs of others. Both images are of one position.
    Raises `RefusedToStart`.
    """
    one, other = open_to_read(kept), open_to_read(made)
    try:
        for table in TABLES:
            yield from _compare_states(_read(one, table, features), _read(other, table, features))
        for name, statement in _OTHERS.items():
            difference = set(one.execute(statement)) ^ set(other.execute(statement))
            if difference:
                yield Fault(f"index {name}", f"{len(difference)} entries differ")
    finally:
        one.close()
        other.close()


def _compare_states(kept: dict[bytes, State], made: dict[bytes, State]) -> Iterator[Fault]:
    for key in sorted(kept.keys() | made.keys()):
        if key not in made:
            yield Fault(f"state {key.hex()}", "the log does not tell of it")
        elif key not in kept:
            yield Fault(f"state {key.hex()}", "missing, and the log tells of it")
        elif parts := list(_parts_that_differ(kept[key], made[key])):
            yield Fault(f"state {key.hex()}", f"differs from what the log tells: {', '.join(parts)}")


def _parts_that_differ(kept: object, made: object, above: str = "") -> Iterator[str]:
    """The names of the fields in which two values differ, as deep as there are names."""
    if kept == made:
        return
    if isinstance(kept, msgspec.Struct) and type(kept) is type(made):
        for name in kept.__struct_fields__:
            yield from _parts_that_differ(getattr(kept, name), getattr(made, name), f"{above}.{name}".lstrip("."))
    else:
        yield above


def _read(connection: sqlite3.Connection, table: str, features: Collection[str]) -> dict[bytes, State]:
    found = {}
    for key, body in connection.execute(f"SELECT key, body FROM {table}"):
        state = found[key] = unpack(key, body)
        state.features = {name: value for name, value in state.features.items() if name in features}
    return found
