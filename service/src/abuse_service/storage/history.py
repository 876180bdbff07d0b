"""Files of a cloud's past, read in the order of their events' times, however large they are and however sorted.

Where each line stands, and how many were sent, is kept in a file beside the first of them until all is done.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from abuse_service.errors import ServiceError

_LARGEST_LINE = 8 * 2**20
_ROWS_AT_ONCE = 5_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS line (
    at INTEGER NOT NULL, file INTEGER NOT NULL, number INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, is_auth INTEGER NOT NULL, text BLOB
);
"""


class _Said(msgspec.Struct):
    """What must be known of a line before it is sent."""

    occurred_at: int
    type: str | None = None
    event_type: str | None = None


_said = msgspec.json.Decoder(_Said).decode


class Line(msgspec.Struct, frozen=True):
    """One line: a business event, or an auth event."""

    file: int
    number: int
    is_auth: bool
    text: bytes


def rejects_of(file: Path) -> Path:
    """Where the lines of a file go that were not taken."""
    return file.with_name(f"{file.name}.rejected.jsonl")


class History:
    """All lines of some files."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises `ServiceError` where the place beside the first file can't be written."""
        self._files = list(files)
        self._place = files[0].with_name(f"{files[0].name}.importing")
        self.bytes = sum(file.stat().st_size for file in files)
        self.rejected = 0
        self._open: dict[int, IO[bytes]] = {}
        try:
            self._index = sqlite3.connect(self._place, isolation_level=None)
            self._index.execute("PRAGMA synchronous = OFF")
            self._index.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ServiceError(f"can't keep where the import stands: {error}", path=str(self._place)) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()
        for file in self._open.values():
            file.close()

    @property
    def count(self) -> int:
        """How many lines can be sent."""
        return int(self._index.execute("SELECT count(*) FROM line").fetchone()[0])

    @property
    def done(self) -> int:
        """How many were sent, also by an import that was cut off."""
        return int(self._meta("done") or 0)

    def read(self) -> Iterator[int]:
        """Find out where each line stands; gives the bytes that were read. A finished one is not read again."""
        mark = self._mark()
        if self._meta("mark") == mark:
            self.rejected = int(self._meta("rejected") or 0)
            return
        self._index.executescript("DELETE FROM line; DELETE FROM meta; DROP INDEX IF EXISTS line_at;")
        for file in self._files:
            rejects_of(file).unlink(missing_ok=True)
        self._index.execute("BEGIN")
        for number, file in enumerate(self._files):
            yield from self._read_parquet(number, file) if file.suffix == ".parquet" else self._read_lines(number, file)
        self._index.execute("CREATE INDEX line_at ON line (at, file, number)")
        self._put_meta("rejected", self.rejected)
        self._put_meta("mark", mark)
        self._index.execute("COMMIT")

    def lines(self) -> Iterator[Line]:
        """The lines that were not sent yet, in the order of their times."""
        rows = self._index.execute(
            "SELECT file, number, offset, length, is_auth, text FROM line ORDER BY at, file, number LIMIT -1 OFFSET ?",
            (self.done,),
        )
        for file, number, offset, length, is_auth, text in rows:
            if text is None:
                source = self._source(file)
                source.seek(offset)
                text = source.read(length)
            yield Line(file, number, bool(is_auth), text)

    def note_done(self, lines: int) -> None:
        """So many more were sent."""
        self._put_meta("done", self.done + lines)

    def reject(self, line: Line, reason: str) -> None:
        """Write a line down that was not taken, with why."""
        self._reject(self._files[line.file], line.number, line.text, reason)
        self._put_meta("rejected", self.rejected)

    def finish(self) -> None:
        """All is done: where it stood need not be known any more."""
        self._index.close()
        self._place.unlink()

    def _read_lines(self, number: int, file: Path) -> Iterator[int]:
        rows: list[tuple[Any, ...]] = []
        offset = read = 0
        with file.open("rb") as source:
            for place, text in enumerate(source, 1):
                row = self._row(number, place, text, file)
                if row is not None:
                    rows.append((row[0], number, place, offset, len(text), row[1], None))
                offset += len(text)
                read += len(text)
                if len(rows) >= _ROWS_AT_ONCE:
                    yield self._keep(rows, read)
                    rows, read = [], 0
        yield self._keep(rows, read)

    def _read_parquet(self, number: int, file: Path) -> Iterator[int]:
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            raise ServiceError(
                "Parquet takes the extra: pip install 'abuse-service[parquet]'", path=file.name
            ) from None
        try:
            source = parquet.ParquetFile(file)
            place = 0
            for group in range(source.num_row_groups):
                rows = []
                for said in source.read_row_group(group).to_pylist():
                    place += 1
                    text = _as_line(said)
                    row = self._row(number, place, text, file)
                    if row is not None:
                        rows.append((row[0], number, place, 0, len(text), row[1], text))
                yield self._keep(rows, file.stat().st_size // source.num_row_groups)
        except (ArrowException, OSError) as error:
            raise ServiceError(f"can't be read as Parquet: {error}", path=file.name) from None

    def _row(self, file: int, place: int, text: bytes, path: Path) -> tuple[int, bool] | None:
        """Time and kind of a line; ``None`` for a blank one, and for one that can't be sent: that is written down."""
        if not text.strip():
            return None
        reason = ""
        if len(text) > _LARGEST_LINE:
            reason = f"longer than {_LARGEST_LINE} bytes"
        else:
            try:
                said = _said(text)
            except msgspec.MsgspecError as error:
                reason = str(error)
            else:
                if said.type is not None or said.event_type is not None:
                    return said.occurred_at, said.type is None
                reason = "expected `type` of a business event, or `event_type` of an auth event"
        self._reject(path, place, text, reason)
        return None

    def _reject(self, path: Path, place: int, text: bytes, reason: str) -> None:
        self.rejected += 1
        said = {"line": place, "reason": reason, "text": text[:_LARGEST_LINE].decode(errors="replace").rstrip("\n")}
        with rejects_of(path).open("a", encoding="utf-8") as out:
            out.write(json.dumps(said, ensure_ascii=False) + "\n")

    def _keep(self, rows: list[tuple[Any, ...]], read: int) -> int:
        self._index.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return read

    def _source(self, file: int) -> IO[bytes]:
        if file not in self._open:
            self._open[file] = self._files[file].open("rb")
        return self._open[file]

    def _mark(self) -> str:
        """Tells these files, as they are, from any others."""
        stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in self._files]
        return hashlib.sha256(repr(stats).encode()).hexdigest()

    def _meta(self, name: str) -> Any:
        row = self._index.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _put_meta(self, name: str, value: Any) -> None:
        self._index.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _as_line(row: dict[str, Any]) -> bytes:
    """A row of a table as it goes over the wire: `data` is JSON text there, or a struct."""
    said = {name: value for name, value in row.items() if value is not None}
    if isinstance(said.get("data"), str | bytes):
        said["data"] = msgspec.Raw(said["data"].encode() if isinstance(said["data"], str) else said["data"])
    try:
        return msgspec.json.encode(said)
    except (msgspec.MsgspecError, TypeError):
        return repr(row).encode()
