"""Who was erased, noted beside the key: a backup of the data that is older has its erasures applied again (0023)."""

import os
from collections.abc import Iterable
from pathlib import Path

from abuse_service.errors import RefusedToStart
from abuse_service.events.entity import EntityKey
from abuse_service.identities.erasure import Erasure
from abuse_service.storage.key_file import sync_folder

_ENTITY_BYTES = 17


class ErasureJournal:
    """A file that only grows, a line an erasure: the identity's key in hexadecimal digits, and when that was asked."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Erasure]:
        """All that stands there; a line that a power cut tore is passed over. Raises `RefusedToStart`."""
        try:
            lines = self._path.read_text("ascii", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RefusedToStart(f"can't read the journal of erasures {self._path}: {error.strerror}") from None
        return [erasure for erasure in map(_read, lines) if erasure is not None]

    def add(self, erasures: Iterable[Erasure]) -> None:
        """Make further ones durable. Raises `OSError`."""
        said = "".join(f"{one.entity.hex()} {one.requested_at_ms}\n" for one in erasures)
        is_new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = "\n" if size and os.pread(file, 1, size - 1) != b"\n" else ""
            os.write(file, f"{torn}{said}".encode())
            os.fsync(file)
        finally:
            os.close(file)
        if is_new:
            sync_folder(self._path.parent)


def _read(line: str) -> Erasure | None:
    said, _, at_ms = line.partition(" ")
    try:
        entity: EntityKey = bytes.fromhex(said)
        return Erasure(entity, int(at_ms)) if len(entity) == _ENTITY_BYTES else None
    except ValueError:
        return None
