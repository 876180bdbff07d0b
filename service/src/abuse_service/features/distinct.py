"""How many distinct values: exact up to a bound, estimated beyond (ADR 0012).

Time is cut into cells as long as the window, so that a window is the end of one cell and the beginning of the next.
Of each value a cell keeps when it came first and last: that says for every instant whether it lies inside. A cell
keeps the values with the smallest hashes; how far those reach tells how many there are.
"""

import bisect
import functools
import struct
from collections.abc import Callable, Sequence, Set
from typing import Any

import msgspec

from abuse_service.events.tokens import VALUE_BYTES
from abuse_service.features.rows import GRACE_MS, TIME_BYTES, time_bytes

MOST_DISTINCT = 1000
"""Values that a distinct count tells apart in a window."""

HASH_BYTES = VALUE_BYTES
_HASHES = 1 << (8 * HASH_BYTES)
_FEW = 32
"""Among so many rows a value is found sooner by a look through all of them."""

_MOST_READ = 32
"""Crowded cells of which `_Crowd` is remembered: a mail provider's is read with every request."""

Part = tuple[Set[bytes], bytes | None]
"""Hashes inside the window, and up to which hash they are all of them; ``None`` without a bound."""


class Distinct:
    """Number of distinct values, given as hashes of `HASH_BYTES`, over a window or for life."""

    def __init__(self, key_of: Callable[[str], str], window_ms: int | None, *, is_estimated: bool) -> None:
        self.key = key_of(f"distinct {window_ms}")
        self._window_ms = window_ms
        self._is_estimated = is_estimated
        times = 1 if window_ms is None else 2
        self._size = HASH_BYTES + times * TIME_BYTES
        self._row = struct.Struct(f"{HASH_BYTES}s" + f"{TIME_BYTES}s" * times)

    def update(self, states: dict[str, Any], at_ms: int, value: bytes) -> None:
        at = at_ms.to_bytes(TIME_BYTES, "big")
        row = value + at if self._window_ms is None else value + at + at
        cells: list[bytes] | None = states.get(self.key)
        if cells is None:
            states[self.key] = [row]
            return
        place, is_new = self._place(cells, at_ms)
        if is_new:
            cells.insert(place, row)
            self._expire(cells)
        else:
            cells[place] = self._with(cells[place], value, at, row)

    def _place(self, cells: list[bytes], at_ms: int) -> tuple[int, bool]:
        """Where the cell of an instant stands or would stand, and whether it is new."""
        if self._window_ms is None:
            return 0, False
        cell = at_ms // self._window_ms
        if self._cell(cells[-1]) == cell:
            return -1, False
        place = len(cells)
        while place:
            known = self._cell(cells[place - 1])
            if known == cell:
                return place - 1, False
            if known < cell:
                break
            place -= 1
        return place, True

    def _cell(self, rows: bytes) -> int:
        return int.from_bytes(rows[HASH_BYTES : HASH_BYTES + TIME_BYTES], "big") // (self._window_ms or 1)

    def _expire(self, cells: list[bytes]) -> None:
        window_ms = self._window_ms or 1
        oldest = (self._cell(cells[-1]) * window_ms - GRACE_MS) // window_ms - 1
        while self._cell(cells[0]) < oldest:
            del cells[0]

    def _with(self, rows: bytes, value: bytes, at: bytes, row: bytes) -> bytes:
        """A cell's rows, in the order of their hashes, with one more value or with a value seen once more."""
        size = self._size
        place = rows.find(value) if len(rows) <= _FEW * size else -1
        if place < 0 or place % size:
            low, high = 0, len(rows) // size
            while low < high:
                middle = (low + high) // 2
                if rows[middle * size : middle * size + HASH_BYTES] < value:
                    low = middle + 1
                else:
                    high = middle
            place = low * size
        end = place + size
        if rows[place : place + HASH_BYTES] != value:
            if len(rows) < MOST_DISTINCT * size:
                return rows[:place] + row + rows[place:]
            # Full: the largest hash makes room, and never comes back.
            return rows if place == len(rows) else rows[:place] + row + rows[place:-size]
        first, last = rows[place + HASH_BYTES : place + HASH_BYTES + TIME_BYTES], rows[end - TIME_BYTES : end]
        if at < first:
            return rows[: place + HASH_BYTES] + at + rows[place + HASH_BYTES + TIME_BYTES :]
        if self._window_ms is not None and at > last:
            return rows[: end - TIME_BYTES] + at + rows[end:]
        return rows

    def part(self, states: dict[str, Any], at_ms: int) -> Part:
        cells: list[bytes] | None = states.get(self.key)
        if not cells or at_ms < 0:
            return set(), None
        at = time_bytes(at_ms)
        if self._window_ms is None:
            rows = cells[0]
            return {value for value, first in self._row.iter_unpack(rows) if first <= at}, self._bound(rows)
        inside: list[Set[bytes]] = []
        bounds = []
        since = time_bytes(at_ms - self._window_ms) if at_ms >= self._window_ms else None
        cell = at_ms // self._window_ms
        for rows in reversed(cells):
            known = self._cell(rows)
            if known > cell:
                continue
            if known < cell - 1:
                break
            if known == cell:
                inside.append(self._up_to(rows, at))
            elif since is not None:
                inside.append(self._after(rows, since))
            bounds.append(self._bound(rows))
        return (inside[0] if len(inside) == 1 else frozenset().union(*inside)), _least(bounds)

    def _up_to(self, rows: bytes, at: bytes) -> Set[bytes]:
        """Hashes that a cell holds as of an instant within it."""
        if len(rows) > _FEW * self._size:
            crowd = _read_crowd(self._row, rows)
            if crowd.latest_first <= at:
                return crowd.hashes
        return {value for value, first, _ in self._row.iter_unpack(rows) if first <= at}

    def _after(self, rows: bytes, since: bytes) -> Set[bytes]:
        """Hashes that were seen in a cell after an instant."""
        if len(rows) > _FEW * self._size:
            crowd = _read_crowd(self._row, rows)
            begin = bisect.bisect_right(crowd.lasts, since)
            return crowd.hashes if begin == 0 else set(crowd.by_last[begin:])
        return {value for value, _, last in self._row.iter_unpack(rows) if last > since}

    def _bound(self, rows: bytes) -> bytes | None:
        is_full = len(rows) >= MOST_DISTINCT * self._size
        return rows[-self._size : HASH_BYTES - self._size] if is_full else None

    def together(self, parts: Sequence[Part]) -> int:
        bound = _least([bound for _, bound in parts])
        hashes = parts[0][0] if len(parts) == 1 else set[bytes]().union(*(found for found, _ in parts))
        if bound is None:
            return len(hashes) if self._is_estimated else min(len(hashes), MOST_DISTINCT)
        if not self._is_estimated:
            # At least one cell is full: what it let go can only add.
            return min(len(hashes), MOST_DISTINCT)
        below = sum(value < bound for value in hashes)
        return round(below * _HASHES / int.from_bytes(bound, "big"))


class _Crowd(msgspec.Struct, frozen=True):
    """A cell with many rows, read once: all hashes, and those in the order in which they were seen last."""

    hashes: frozenset[bytes]
    latest_first: bytes
    lasts: list[bytes]
    by_last: list[bytes]


@functools.lru_cache(maxsize=_MOST_READ)
def _read_crowd(row: struct.Struct, rows: bytes) -> _Crowd:
    found = sorted((last, value, first) for value, first, last in row.iter_unpack(rows))
    by_last = [value for _, value, _ in found]
    return _Crowd(frozenset(by_last), max(first for _, _, first in found), [last for last, _, _ in found], by_last)


def _least(bounds: Sequence[bytes | None]) -> bytes | None:
    return min((bound for bound in bounds if bound is not None), default=None)
