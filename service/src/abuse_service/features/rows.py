"""The newest events of one entity, packed: what every exact value is read from (ADR 0012).

A row is 6 bytes of time and then the value, both such that rows sort as bytes do. The rows of a state are one ``bytes``
in that order: small, quick to extend, and the same whatever order the events came in.
"""

import struct

from abuse_service.events.event import FUTURE_TOLERANCE_MS

MOST_ROWS = 1024
"""Events of its window that an exact feature looks at: the newest."""

FEW_ROWS = 256
"""The newest events that are kept one by one where older ones are folded into steps."""

LIFE_ROWS = 64
"""The newest events that are kept one by one where older ones are folded into one total for life."""

GRACE_MS = FUTURE_TOLERANCE_MS + 10 * 60_000
"""Kept beyond a window: as far as a sender's clock may run ahead, and as old as a request may claim to be."""

TIME_BYTES = 6
LAST_MS = (1 << 8 * TIME_BYTES) - 2
_SIGN = 1 << 63
_MASK = (1 << 64) - 1
_BITS, _DOUBLE = struct.Struct(">Q"), struct.Struct(">d")


def time_bytes(at_ms: int) -> bytes:
    """An instant as a row begins with it; what lies beyond the range counts as its end."""
    return max(0, min(LAST_MS, at_ms)).to_bytes(TIME_BYTES, "big")


def time_of(row: bytes) -> int:
    """The instant that a row begins with."""
    return int.from_bytes(row[:TIME_BYTES], "big")


def whole_bytes(value: int) -> bytes:
    """A whole number of 64 bits, so that bytes sort as numbers do."""
    return _BITS.pack(value + _SIGN)


def whole_of(said: bytes) -> int:
    """The number in `whole_bytes`."""
    return int.from_bytes(said, "big") - _SIGN


def fraction_bytes(value: float) -> bytes:
    """A fraction, so that bytes sort as numbers do."""
    [bits] = _BITS.unpack(_DOUBLE.pack(value + 0.0))
    return _BITS.pack(~bits & _MASK if bits & _SIGN else bits | _SIGN)


def fraction_of(said: bytes) -> float:
    """The number in `fraction_bytes`."""
    bits = int.from_bytes(said, "big")
    value: float = struct.unpack(">d", (bits ^ _SIGN if bits & _SIGN else ~bits & _MASK).to_bytes(8, "big"))[0]
    return value


class Rows:
    """How rows of one kind are kept: up to ``most``, none older than ``kept_ms`` behind the newest.

    With ``step_ms`` rows leave by whole steps, so that steps of older ones end where the rows do.
    """

    def __init__(self, value_bytes: int, most: int, kept_ms: int | None, step_ms: int = 1) -> None:
        self.size = TIME_BYTES + value_bytes
        self._full = most * self.size
        self._newest = slice(-self.size, TIME_BYTES - self.size or None)
        self._kept_ms = kept_ms
        self._step_ms = step_ms

    def oldest_kept_ms(self, newest_ms: int) -> int:
        """The instant from which on events are kept beside one of ``newest_ms``."""
        if self._kept_ms is None:
            return 0
        oldest_ms = newest_ms - self._kept_ms
        return oldest_ms - oldest_ms % self._step_ms if oldest_ms > 0 else 0

    def add(self, rows: bytes, at_ms: int, row: bytes) -> tuple[bytes, bytes, bytes]:
        """The rows with one more; those that are too old now; and those for which there is no room."""
        size = self.size
        last = rows[len(rows) - size :]
        if row < last:
            return self._add_late(rows, row, time_of(last))
        oldest = self.oldest_kept_ms(at_ms).to_bytes(TIME_BYTES, "big")
        end = self.find(rows, oldest) if rows[:TIME_BYTES] < oldest else 0
        room = end + self._full - size
        if end == 0 and len(rows) <= room:
            return rows + row, b"", b""
        begin = max(end, len(rows) - self._full + size)
        return rows[begin:] + row, rows[:end], rows[end:begin]

    def _add_late(self, rows: bytes, row: bytes, newest_ms: int) -> tuple[bytes, bytes, bytes]:
        if time_of(row) < self.oldest_kept_ms(newest_ms):
            return rows, row, b""
        if len(rows) >= self._full:
            if row <= rows[: self.size]:
                return rows, b"", row
            place = self.find(rows, row)
            return rows[self.size : place] + row + rows[place:], b"", rows[: self.size]
        place = self.find(rows, row)
        return rows[:place] + row + rows[place:], b"", b""

    def find(self, rows: bytes, mark: bytes) -> int:
        """Where the first row stands that is not before ``mark``, a row or the beginning of one."""
        size = self.size
        low, high = 0, len(rows) // size
        while low < high:
            middle = (low + high) // 2
            if rows[middle * size : middle * size + size] < mark:
                low = middle + 1
            else:
                high = middle
        return low * size

    def inside(self, rows: bytes, since_ms: int | None, at_ms: int) -> bytes:
        """The rows after ``since_ms`` and up to ``at_ms``."""
        newest_ms = int.from_bytes(rows[self._newest], "big")
        if since_ms is not None and newest_ms <= since_ms:
            return b""
        if newest_ms <= at_ms and (since_ms is None or int.from_bytes(rows[:TIME_BYTES], "big") > since_ms):
            return rows
        begin, end = 0, len(rows)
        after = time_bytes(at_ms + 1) if at_ms >= 0 else b""
        if rows[end - self.size :] >= after:
            end = self.find(rows, after)
        if since_ms is not None and since_ms >= 0:
            first = time_bytes(since_ms + 1)
            if rows[:TIME_BYTES] < first:
                begin = self.find(rows, first)
        return rows[begin:end]
