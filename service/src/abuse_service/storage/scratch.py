"""A place for the states of a replay that need not be in memory: a folder that goes with it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.identities.states import Cut
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage.log_reader import LogReader
from abuse_service.storage.store import SqliteStore

_NO_BYTES_WAIT = 1


class Scratch:
    """The cold states of a replay. Its events are those of the log that is replayed."""

    def __init__(self, log: LogReader, beside: Path) -> None:
        """The folder is made in ``beside``: personal data stay on the disk that holds them. Raises `RefusedToStart`."""
        self._log = log
        self._folder = tempfile.TemporaryDirectory(prefix=".replay-", dir=beside)
        place = Path(self._folder.name)
        self._store = SqliteStore(place / "states", _NO_BYTES_WAIT, place / "states.key")

    def close(self) -> None:
        """Throw it away."""
        self._store.close()
        self._folder.cleanup()

    def load(self, key: bytes) -> bytes | None:
        """The packed state, or ``None``."""
        return self._store.load(key)

    def load_owners(self, join: EntityKey) -> dict[EntityKey, int]:
        """Who claims a Stripe id."""
        return self._store.load_owners(join)

    def load_unnamed(self, join: EntityKey) -> list[int]:
        """Positions of events that carry a Stripe id and name no user."""
        return self._store.load_unnamed(join)

    def unnamed_joins(self) -> Iterator[EntityKey]:
        """Every id that `load_unnamed` knows something of."""
        return self._store.unnamed_joins()

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log."""
        return self._log.load_event(position)

    def latest_snapshot(self) -> Snapshot | None:
        """None: a replay begins at the beginning."""
        return None

    async def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> None:
        """Keep the states of a cut."""
        self._store.write_snapshot_now(cut, snapshot)

    def write_snapshot_now(self, cut: Cut, snapshot: Snapshot) -> None:
        """Keep the states of a cut."""
        self._store.write_snapshot_now(cut, snapshot)

    def discard_snapshot(self) -> None:
        """Forget them."""
        self._store.discard_snapshot()
