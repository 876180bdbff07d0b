"""A copy of a data directory that is one instant's, taken while a service writes."""

import contextlib
import os
import sqlite3
from pathlib import Path

from abuse_service.errors import RefusedToStart, StorageUnavailable
from abuse_service.storage.directory import DATABASE_NAME
from abuse_service.storage.directory_reader import open_to_read
from abuse_service.storage.key_file import sync_folder
from abuse_service.storage.verify import Verified, verify

_UNFINISHED = f"{DATABASE_NAME}.unfinished"


def back_up(data: Path, target: Path) -> Verified:
    """Copy a data directory to another place, which must be new or empty, and check the copy.

    The copy holds all that was committed when it began, and nothing of what was freed. A service can be started on it,
    with the key of the original: that is not copied. Raises `RefusedToStart` or `StorageUnavailable`; then nothing is
    left that could be taken for a backup.
    """
    unfinished = target / _UNFINISHED
    connection = open_to_read(data)
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished.unlink(missing_ok=True)
        if any(target.iterdir()):
            raise RefusedToStart(f"{target} is not empty; a backup takes a folder of its own")
        # Personal data: to be read by its owner alone from the first byte on.
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection.execute("VACUUM INTO ?", (str(unfinished),))
        _sync(unfinished)
        unfinished.rename(target / DATABASE_NAME)
        sync_folder(target)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise StorageUnavailable(f"can't write the backup to {target}: {error}") from None
    finally:
        connection.close()
    return verify(target)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
