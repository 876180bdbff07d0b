"""The key of all hashes: apart from the data, made once, and never mistaken for another directory's."""

import stat
from pathlib import Path

import pytest

from abuse_service.errors import RefusedToStart
from abuse_service.storage.key_file import key_file_beside
from abuse_service.storage.store import SqliteStore


def open_store(data: Path, key_file: Path | None = None) -> bytes:
    """Open and close a directory; the secret that it was opened with."""
    store = SqliteStore(data, 2**20, key_file)
    store.close()
    return store.secret


def test_key_is_made_beside_the_data(tmp_path: Path) -> None:
    """The first start makes a key that its owner alone may read, later ones take it, and no file of the data has it."""
    data = tmp_path / "data"
    secret = open_store(data)
    key_file = key_file_beside(data)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert bytes.fromhex(key_file.read_text()) == secret == open_store(data)
    assert len(secret) == 32
    kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert secret not in kept
    assert secret.hex().encode() not in kept


def test_key_lies_where_the_setting_says(tmp_path: Path) -> None:
    """A key file of another place is made there, with its folder, and nothing beside the data."""
    data, key_file = tmp_path / "data", tmp_path / "keys" / "service.key"
    assert open_store(data, key_file) == open_store(data, key_file)
    assert not key_file_beside(data).exists()


def test_new_directory_takes_a_key_that_is_there(tmp_path: Path) -> None:
    """Who brings a key along has his data keyed with it."""
    key_file = tmp_path / "own.key"
    key_file.write_text("ab" * 32 + "\n")
    assert open_store(tmp_path / "data", key_file) == b"\xab" * 32


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (None, "is missing, and the data directory was written with it"),
        ("cd" * 32, "is not the one that the data directory was written with"),
        ("", "expected 64 hexadecimal digits"),
        ("secret", "expected 64 hexadecimal digits"),
        ("ab" * 16, "expected 64 hexadecimal digits"),
        ("é", "expected 64 hexadecimal digits"),
    ],
)
def test_start_without_the_right_key_is_refused(tmp_path: Path, said: str | None, message: str) -> None:
    """Without the key, or with a wrong or broken one, nothing starts, and the message names the file and no secret."""
    data = tmp_path / "data"
    secret = open_store(data)
    key_file = key_file_beside(data)
    good = key_file.read_text()
    key_file.unlink()
    if said is not None:
        key_file.write_text(said, encoding="utf-8")
    with pytest.raises(RefusedToStart, match=message) as refused:
        open_store(data)
    assert str(key_file) in str(refused.value)
    assert not said or said not in str(refused.value)
    key_file.write_text(good)
    assert open_store(data) == secret
