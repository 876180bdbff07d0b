"""The secret that keys every hash, in a file apart from the data (0019)."""

import hashlib
import hmac
import os
import secrets
import sqlite3
from pathlib import Path

from abuse_service.errors import RefusedToStart
from abuse_service.storage import statements
from abuse_service.telemetry import log

_SECRET_BYTES = 32
_CHECK = "key_check"
_FOR_OTHERS = 0o077


def key_file_beside(data: Path) -> Path:
    """Where the key of a data directory lies unless a setting says otherwise: beside it, ``NAME.key``."""
    return data.parent / f"{data.name}.key"


def read_secret(path: Path, connection: sqlite3.Connection) -> bytes:
    """The secret that keys a data directory: of its key file, which is made with a directory that is new.

    The directory holds a value by which a wrong key is told. Raises `RefusedToStart` where the key is missing, cannot
    be read, or is another directory's.
    """
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (_CHECK,)).fetchone()
    expected = bytes(row[0]) if row else None
    secret = _read(path)
    if secret is None:
        if expected is not None:
            raise RefusedToStart(
                f"the key file {path} is missing, and the data directory was written with it; bring it back, or name "
                "its place by ABUSE_KEY_FILE"
            )
        secret = _make(path)
    check = hashlib.blake2b(b"abuse-service", digest_size=16, key=secret, person=b"key check").digest()
    if expected is None:
        connection.execute(statements.PUT_META, (_CHECK, check))
    elif not hmac.compare_digest(expected, check):
        raise RefusedToStart(
            f"the key in {path} is not the one that the data directory was written with; ABUSE_KEY_FILE names its place"
        )
    return secret


def _read(path: Path) -> bytes | None:
    try:
        said = path.read_text("ascii").strip()
        secret = bytes.fromhex(said)
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RefusedToStart(f"can't read the key file {path}: {error.strerror}") from None
    except ValueError:
        secret, mode = b"", 0
    if len(secret) != _SECRET_BYTES:
        raise RefusedToStart(f"expected {2 * _SECRET_BYTES} hexadecimal digits in the key file {path}")
    if mode & _FOR_OTHERS:
        log.warning("the key file can be read by others than its owner", path=str(path))
    return secret


def _make(path: Path) -> bytes:
    """A new key, on disk before anything is written with it."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, f"{secret.hex()}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        sync_folder(path.parent)
    except OSError as error:
        raise RefusedToStart(f"can't make the key file {path}: {error.strerror}") from None
    return secret


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
