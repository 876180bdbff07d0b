"""The aggregates of one entity: what an event adds to their state, and what that says as of an instant (ADR 0012).

Each class below updates one place in a dict of states. All of them give the same state for any order of updates, and
read nothing that happened later than the instant.
"""

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Protocol

from abuse_service.features.declaration import Aggregate
from abuse_service.features.distinct import Distinct
from abuse_service.features.rows import (
    FEW_ROWS,
    GRACE_MS,
    LAST_MS,
    LIFE_ROWS,
    MOST_ROWS,
    TIME_BYTES,
    Rows,
    fraction_bytes,
    fraction_of,
    time_of,
    whole_bytes,
    whole_of,
)
from abuse_service.features.steps import Folding, Steps
from abuse_service.features.top import Top
from abuse_service.identities.merge import add_bounded

_DAY_MS = 86_400_000
_SPANS_MS = (_DAY_MS, 30 * _DAY_MS, 90 * _DAY_MS)
"""Exact windows share their rows with the longest of these that holds them, whichever others are declared."""


class Window(Protocol):
    """One aggregate. ``key`` names its state, which windows that are kept alike share."""

    key: str

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        """Take in a value that occurred at ``at_ms``, from 0 to `LAST_MS`."""
        ...

    def part(self, states: dict[str, Any], at_ms: int) -> Any:
        """What one entity adds to the feature as of ``at_ms``."""
        ...

    def together(self, parts: Sequence[Any]) -> Any:
        """The feature over these parts, of one entity or of several; ``None`` where there is no value."""
        ...


def make_window(
    aggregate: Aggregate, window_ms: int | None, approximate: float | None, key_of: Callable[[str], str]
) -> Window:
    """The window of an aggregate; ``window_ms`` ``None`` is for life.

    ``key_of`` makes a key of what the state is like.
    """
    if aggregate is Aggregate.DISTINCT:
        return Distinct(key_of, window_ms, is_estimated=approximate is not None)
    if aggregate is Aggregate.AGE or (aggregate is Aggregate.FIRST and window_ms is None):
        return Earliest(key_of(f"{aggregate} life"), is_age=aggregate is Aggregate.AGE)
    keeping = _keeping(window_ms, approximate)
    if aggregate is Aggregate.TOP:
        return Top(key_of(f"top {keeping}"), keeping[0], window_ms)
    if aggregate in (Aggregate.FIRST, Aggregate.LAST):
        kept = f"fraction {keeping}" if window_ms else "last life"
        return Edge(key_of(kept), keeping, window_ms, is_last=aggregate is Aggregate.LAST)
    if aggregate in (Aggregate.MIN, Aggregate.MAX):
        # Rows alone serve both; what is folded has chosen one.
        kept = f"fraction {keeping}" if window_ms and approximate is None else f"{aggregate} {keeping}"
        return Extreme(key_of(kept), keeping, window_ms, is_largest=aggregate is Aggregate.MAX)
    kind = _KINDS[aggregate]
    return Total(key_of(f"{kind} {keeping}"), keeping, window_ms, kind, aggregate)


Keeping = tuple[int | None, int | None]
"""How long events are kept, and the steps of older ones; ``None`` for life, and where there are no steps."""

_KINDS = {
    Aggregate.COUNT: "count",
    Aggregate.RATE: "count",
    Aggregate.SUM: "whole",
    Aggregate.MEAN: "whole",
    Aggregate.RATIO: "flag",
}


def _keeping(window_ms: int | None, approximate: float | None) -> Keeping:
    if window_ms is None:
        return None, None
    if approximate is None:
        return next(span_ms for span_ms in _SPANS_MS if window_ms <= span_ms) + GRACE_MS, None
    return window_ms + GRACE_MS, int(window_ms * approximate)


def matters_since_ms(aggregate: Aggregate, window_ms: int | None, approximate: float | None, now_ms: int) -> int:
    """Events before this instant add nothing to what is read of a state from ``now_ms`` less `GRACE_MS` on.

    0 for life. It holds for every window that may share the state, and is the beginning of a step or a cell: those are
    taken in whole or not at all.
    """
    if window_ms is None:
        return 0
    if aggregate is Aggregate.DISTINCT:
        kept_ms, step_ms = window_ms + GRACE_MS, window_ms
    else:
        said_ms, said_step_ms = _keeping(window_ms, approximate)
        kept_ms, step_ms = said_ms or 0, said_step_ms or 1
    oldest_ms = max(0, now_ms - kept_ms)
    return oldest_ms - oldest_ms % step_ms


class _Series:
    """Rows, with steps of older ones where they are declared."""

    def __init__(self, key: str, keeping: Keeping, window_ms: int | None, value_bytes: int, pick: Any = None) -> None:
        kept_ms, step_ms = keeping
        self.key = key
        self._window_ms = window_ms
        most = LIFE_ROWS if kept_ms is None else MOST_ROWS if step_ms is None else FEW_ROWS
        self._rows = Rows(value_bytes, most, kept_ms, step_ms or 1)
        self._size = self._rows.size
        self._full = most * self._size
        self._kept_ms = kept_ms if kept_ms is not None else LAST_MS
        self._folding = Folding(step_ms, pick) if kept_ms is None or step_ms else None

    def _add(self, states: dict[str, Any], at_ms: int, row: bytes) -> None:
        held = states.get(self.key)
        if held is None:
            states[self.key] = row
            return
        rows, steps = (held, None) if type(held) is bytes else held
        size = self._size
        dropped = b""
        if row < rows[-size:] or at_ms - int.from_bytes(rows[:TIME_BYTES], "big") > self._kept_ms:
            rows, _, dropped = self._rows.add(rows, at_ms, row)
        elif len(rows) < self._full:
            # As nearly always: it is the newest, none is too old, and there is room.
            rows += row
        else:
            dropped = rows[:size]
            rows = rows[size:] + row
        if self._folding is None or not (dropped or steps):
            states[self.key] = rows
            return
        states[self.key] = self._fold(self._folding, rows, steps or [], dropped)

    def _fold(self, folding: Folding, rows: bytes, steps: Steps, dropped: bytes) -> Any:
        size = self._size
        for place in range(0, len(dropped), size):
            row = dropped[place : place + size]
            folding.take(steps, int.from_bytes(row[:TIME_BYTES], "big"), self._amount(row[TIME_BYTES:]))
        folding.expire(steps, self._rows.oldest_kept_ms(time_of(rows[-size:])))
        return [rows, steps] if steps else rows

    def _amount(self, value: bytes) -> float:
        raise NotImplementedError

    def _inside(self, states: dict[str, Any], at_ms: int) -> tuple[bytes, list[tuple[float, int]]]:
        """The rows inside the window, and amount and number of the steps inside it."""
        held = states.get(self.key)
        if held is None:
            return b"", []
        since_ms = at_ms - self._window_ms if self._window_ms is not None else None
        if type(held) is bytes:
            return self._rows.inside(held, since_ms, at_ms), []
        rows, steps = held
        older = self._folding.inside(steps, since_ms, at_ms, time_of(rows)) if self._folding else []
        return self._rows.inside(rows, since_ms, at_ms), older


class Total(_Series):
    """Count, sum, mean, rate a second, or share of events that matched."""

    def __init__(self, key: str, keeping: Keeping, window_ms: int | None, kind: str, aggregate: Aggregate) -> None:
        super().__init__(key, keeping, window_ms, {"count": 0, "flag": 1, "whole": 8}[kind])
        self._encode: Callable[[Any], bytes] = {"count": _no_bytes, "flag": _flag_bytes, "whole": whole_bytes}[kind]
        self._tally: Callable[[bytes], tuple[int, int]] = {
            "count": _tally_count,
            "flag": _tally_flags,
            "whole": _tally_whole,
        }[kind]
        self._decode: Callable[[bytes], int] = {"count": _one, "flag": ord, "whole": whole_of}[kind]
        self._say: Callable[[int, int], float] = {
            Aggregate.COUNT: _number,
            Aggregate.SUM: _bounded,
            Aggregate.RATE: self._rate,
        }.get(aggregate, _mean)

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        self._add(states, at_ms, at_ms.to_bytes(TIME_BYTES, "big") + self._encode(value))

    def _amount(self, value: bytes) -> float:
        return self._decode(value)

    def part(self, states: dict[str, Any], at_ms: int) -> tuple[int, int]:
        rows, steps = self._inside(states, at_ms)
        amount, number = self._tally(rows)
        for more, events in steps:
            amount += int(more)
            number += events
        return amount, number

    def together(self, parts: Sequence[tuple[int, int]]) -> float:
        amount, number = parts[0] if len(parts) == 1 else map(sum, zip(*parts, strict=True))
        return self._say(amount, number)

    def _rate(self, amount: int, number: int) -> float:
        return number * 1000 / (self._window_ms or 1)


class Extreme(_Series):
    """Smallest or largest value."""

    def __init__(self, key: str, keeping: Keeping, window_ms: int | None, *, is_largest: bool) -> None:
        self._pick: Callable[..., Any] = max if is_largest else min
        super().__init__(key, keeping, window_ms, 8, self._pick)

    def update(self, states: dict[str, Any], at_ms: int, value: float) -> None:
        self._add(states, at_ms, at_ms.to_bytes(TIME_BYTES, "big") + fraction_bytes(value))

    def _amount(self, value: bytes) -> float:
        return fraction_of(value)

    def part(self, states: dict[str, Any], at_ms: int) -> float | None:
        rows, steps = self._inside(states, at_ms)
        found = [value for value, _ in steps]
        if rows:
            # Bytes sort as the numbers do.
            found.append(fraction_of(self._pick(map(_FIRST, _VALUES.iter_unpack(rows)))))
        return self._pick(found) if found else None

    def together(self, parts: Sequence[float | None]) -> float | None:
        known = [part for part in parts if part is not None]
        return self._pick(known) if known else None


class Edge(_Series):
    """First or last value by event time; of several at one instant the smallest or the largest."""

    def __init__(self, key: str, keeping: Keeping, window_ms: int | None, *, is_last: bool) -> None:
        super().__init__(key, keeping, window_ms, 8)
        self._folding = None
        self._is_last = is_last

    def update(self, states: dict[str, Any], at_ms: int, value: float) -> None:
        self._add(states, at_ms, at_ms.to_bytes(TIME_BYTES, "big") + fraction_bytes(value))

    def part(self, states: dict[str, Any], at_ms: int) -> bytes:
        rows, _ = self._inside(states, at_ms)
        return rows[-self._rows.size :] if self._is_last else rows[: self._rows.size]

    def together(self, parts: Sequence[bytes]) -> float | None:
        known = [part for part in parts if part]
        if not known:
            return None
        return fraction_of((max(known) if self._is_last else min(known))[TIME_BYTES:])


class Earliest:
    """The first event for life: its value, or the seconds since then."""

    def __init__(self, key: str, *, is_age: bool) -> None:
        self.key = key
        self._is_age = is_age

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        at = at_ms.to_bytes(TIME_BYTES, "big")
        row = at if self._is_age else at + fraction_bytes(value)
        known = states.get(self.key)
        if known is None or row < known:
            states[self.key] = row

    def part(self, states: dict[str, Any], at_ms: int) -> tuple[bytes, int] | None:
        row = states.get(self.key)
        return None if row is None or time_of(row) > at_ms else (row, at_ms)

    def together(self, parts: Sequence[tuple[bytes, int] | None]) -> float | None:
        known = [part for part in parts if part is not None]
        if not known:
            return None
        row, at_ms = min(known)
        return (at_ms - time_of(row)) / 1000 if self._is_age else fraction_of(row[TIME_BYTES:])


_FIRST = itemgetter(0)
_VALUES = struct.Struct(f">{TIME_BYTES}x8s")
_NUMBERS = struct.Struct(f">{TIME_BYTES}xQ")
_BIAS = 1 << 63


def _number(amount: int, number: int) -> float:
    return number


def _bounded(amount: int, number: int) -> float:
    return add_bounded(0, amount)


def _mean(amount: int, number: int) -> float:
    return amount / number if number else 0.0


def _no_bytes(value: Any) -> bytes:
    return b""


def _one(value: bytes) -> int:
    return 1


def _flag_bytes(value: Any) -> bytes:
    return b"\1" if value else b"\0"


def _tally_count(rows: bytes) -> tuple[int, int]:
    number = len(rows) // TIME_BYTES
    return number, number


def _tally_flags(rows: bytes) -> tuple[int, int]:
    flags = rows[TIME_BYTES :: TIME_BYTES + 1]
    return flags.count(1), len(flags)


def _tally_whole(rows: bytes) -> tuple[int, int]:
    number = len(rows) // _NUMBERS.size
    return sum(map(_FIRST, _NUMBERS.iter_unpack(rows))) - number * _BIAS, number
