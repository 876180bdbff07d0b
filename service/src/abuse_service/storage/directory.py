"""The data directory: one owner, one database file."""

import fcntl
import json
import os
import sqlite3
from importlib import resources
from pathlib import Path

from abuse_service.errors import DirectoryInUse, RefusedToStart, StorageUnavailable
from abuse_service.storage.states import TABLES, make_table
from abuse_service.telemetry import log

DATABASE_NAME = "abuse.db"
FORMAT_VERSION = 7
_UPGRADES = {
    6: "ALTER TABLE block ADD COLUMN checksum INTEGER;\nALTER TABLE scrubbed ADD COLUMN checksum INTEGER;\n",
}
"""By format, what makes the next one of it. What is refused has no way here."""


class DataDirectory:
    """A directory that this process owns until `close`."""

    def __init__(self, path: Path) -> None:
        """Make the directory where it is missing and take its lock. Raises `DirectoryInUse` or `RefusedToStart`."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RefusedToStart(f"can't use the data directory {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            owner = read_owner(path)
            who = f"process {owner['pid']}" if owner else "another process"
            raise DirectoryInUse(f"the data directory {path} is in use by {who}; one directory serves one") from None

    def connect(self) -> sqlite3.Connection:
        """A connection to the database, WAL with full synchronisation. It may move between threads, one at a time."""
        # The file holds personal data: made readable by its owner only.
        os.close(os.open(self.path / DATABASE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self.path / DATABASE_NAME, isolation_level=None, check_same_thread=False, cached_statements=2 * len(TABLES)
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -8192")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA busy_timeout = 5000")
        # What is freed is zeroed: an erasure leaves nothing behind (0023).
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables, or bring those of an older format up to date.

        Raises `StorageUnavailable`, and `RefusedToStart` for a newer format or one from before the first release.
        """
        try:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > FORMAT_VERSION:
                raise RefusedToStart(
                    f"the data directory {self.path} has format {found}, this version knows {FORMAT_VERSION}"
                )
            if 0 < found < min(_UPGRADES):
                raise RefusedToStart(
                    f"the data directory {self.path} has format {found}, from before the first release: "
                    f"this version reads {min(_UPGRADES)} to {FORMAT_VERSION}; start with a new directory"
                )
            if 0 < found < FORMAT_VERSION:
                steps = "".join(_UPGRADES[step] for step in range(found, FORMAT_VERSION))
                connection.executescript(f"BEGIN;\n{steps}PRAGMA user_version = {FORMAT_VERSION};\nCOMMIT;")
                log.info("the data directory was brought to a newer format", found=found, format=FORMAT_VERSION)
            if found == 0:
                made = "".join(f"{make_table(table)};\n" for table in TABLES)
                schema = resources.files(__package__).joinpath("schema.sql").read_text()
                connection.executescript(f"BEGIN;\n{schema}{made}PRAGMA user_version = {FORMAT_VERSION};\nCOMMIT;")
        except sqlite3.Error as error:
            raise StorageUnavailable(f"can't open the database in {self.path}: {error}") from None

    def announce(self, url: str) -> None:
        """Leave a note for operators' verbs: who owns the directory and where he answers."""
        (self.path / "owner.json").write_text(json.dumps({"pid": os.getpid(), "url": url}))

    def close(self) -> None:
        """Give the directory back."""
        (self.path / "owner.json").unlink(missing_ok=True)
        os.close(self._lock)


def holds_database(path: Path) -> bool:
    """Whether a service ever kept its data there."""
    return (path / DATABASE_NAME).exists()


def read_owner(path: Path) -> dict[str, str] | None:
    """Who announced himself as owner, or ``None``."""
    try:
        owner = json.loads((path / "owner.json").read_text())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None
