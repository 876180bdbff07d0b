"""A data directory read beside the service that owns it."""

import sqlite3
from pathlib import Path

from abuse_service.errors import RefusedToStart
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage.directory import DATABASE_NAME, FORMAT_VERSION
from abuse_service.storage.key_file import key_file_beside, read_secret
from abuse_service.storage.log_reader import LogReader
from abuse_service.storage.states import read_snapshot


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads. Raises `RefusedToStart`."""
    place = path / DATABASE_NAME
    if not place.is_file():
        raise RefusedToStart(f"{path} holds no data of a service; name the directory with --data")
    try:
        connection = sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise RefusedToStart(f"can't open the database in {path}: {error}") from None
    if found != FORMAT_VERSION:
        connection.close()
        raise RefusedToStart(f"the data directory {path} has format {found}, this version reads {FORMAT_VERSION}")
    return connection


class DirectoryReader:
    """The log and the image of one instant, and the key, until `close`."""

    def __init__(self, path: Path, key_file: Path | None = None) -> None:
        """Raises `RefusedToStart`."""
        self._connection = open_to_read(path)
        try:
            self._connection.execute("BEGIN")
            self.secret = read_secret(key_file or key_file_beside(path), self._connection)
            self.log = LogReader(self._connection)
            self.snapshot: Snapshot | None = read_snapshot(self._connection)
        except sqlite3.Error as error:
            self._connection.close()
            raise RefusedToStart(f"can't read the database in {path}: {error}") from None
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Read no more."""
        self._connection.close()
