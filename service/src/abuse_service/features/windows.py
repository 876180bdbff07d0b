"""State and arithmetic of one feature of one entity.

Each class below updates a place in a dict of feature states and reads it as of an instant. All of them give the same
state for any order of updates.
"""

import bisect
from collections.abc import Callable
from typing import Any, Protocol

from abuse_service.events.event import FUTURE_TOLERANCE_MS
from abuse_service.features.declaration import MOST_DISTINCT, STEPS, Aggregate
from abuse_service.identities.merge import add_bounded


class Window(Protocol):
    """State of a feature under its key in ``states``."""

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        """Take in a value that occurred at ``at_ms``."""
        ...

    def read(self, states: dict[str, Any], at_ms: int) -> Any:
        """The feature as of ``at_ms``; ``None`` where there is no value."""
        ...


def make_window(aggregate: Aggregate, key: str, window_ms: int | None) -> Window:
    """The window of an aggregate; ``window_ms`` ``None`` is for life."""
    if aggregate is Aggregate.DISTINCT:
        return Distinct(key, window_ms)
    if aggregate in (Aggregate.FIRST, Aggregate.LAST):
        return Edge(key, window_ms, is_last=aggregate is Aggregate.LAST)
    if aggregate in (Aggregate.MEAN, Aggregate.RATIO):
        return Mean(
            make_window(Aggregate.SUM, key + "s", window_ms), make_window(Aggregate.COUNT, key + "n", window_ms)
        )
    if aggregate in (Aggregate.MIN, Aggregate.MAX):
        return Extreme(key, window_ms, max if aggregate is Aggregate.MAX else min)
    return LifeTotal(key) if window_ms is None else Total(key, window_ms)


class LifeTotal:
    """Sum for life. Exact."""

    def __init__(self, key: str) -> None:
        self._key = key

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        states[self._key] = add_bounded(states.get(self._key, 0), value)

    def read(self, states: dict[str, Any], at_ms: int) -> int:
        return states.get(self._key, 0)  # type: ignore[no-any-return]


class Total:
    """Sum over a sliding window: a flat list of step, sum, step, sum, …, oldest first."""

    def __init__(self, key: str, window_ms: int) -> None:
        self._key = key
        self._step_ms = max(1, window_ms // STEPS)
        self._kept_steps = _kept_steps(self._step_ms)

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        step = at_ms // self._step_ms
        sums = states.get(self._key)
        if sums is None:
            states[self._key] = [step, value]
            return
        newest = sums[-2]
        if step == newest:
            sums[-1] = add_bounded(sums[-1], value)
        elif step > newest:
            sums.append(step)
            sums.append(value)
            expired = step - self._kept_steps
            if sums[0] <= expired:
                _drop_expired(sums, expired)
        elif step > newest - self._kept_steps:
            _insert(sums, step, value)

    def read(self, states: dict[str, Any], at_ms: int) -> int:
        sums = states.get(self._key)
        if sums is None:
            return 0
        step = at_ms // self._step_ms
        total: int = 0
        for place in range(len(sums) - 2, -1, -2):
            if sums[place] <= step - STEPS:
                break
            if sums[place] <= step:
                total += sums[place + 1]
        return total


class Extreme:
    """Smallest or largest value over a window, or for life: one a step, oldest first."""

    def __init__(self, key: str, window_ms: int | None, pick: Callable[..., Any]) -> None:
        """``pick`` is ``min`` or ``max``."""
        self._key = key
        self._step_ms = max(1, window_ms // STEPS) if window_ms else None
        self._kept_steps = _kept_steps(self._step_ms) if self._step_ms else 1
        self._pick = pick

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        step = at_ms // self._step_ms if self._step_ms else 0
        extremes: dict[int, Any] = states.setdefault(self._key, {})
        newest = next(reversed(extremes), step)
        if step <= newest - self._kept_steps:
            return
        if step in extremes:
            extremes[step] = self._pick(extremes[step], value)
            return
        extremes[step] = value
        if step < newest:
            _sort(extremes, sorted(extremes.items()))
        for old in [old for old in extremes if old <= step - self._kept_steps]:
            del extremes[old]

    def read(self, states: dict[str, Any], at_ms: int) -> Any:
        extremes = states.get(self._key, {})
        step = at_ms // self._step_ms if self._step_ms else 0
        inside = [value for place, value in extremes.items() if step - STEPS < place <= step]
        return self._pick(inside) if inside else None


class Distinct:
    """Number of distinct values over a window, or for life; up to `MOST_DISTINCT`.

    Each value with the time when it was seen last, oldest first, so that what expired stands in front.
    """

    def __init__(self, key: str, window_ms: int | None) -> None:
        self._key = key
        self._window_ms = window_ms

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        seen: dict[int, int] = states.setdefault(self._key, {})
        known = seen.pop(value, None)
        if known is not None and known > at_ms:
            at_ms = known
        last = next(reversed(seen), None)
        is_newest = last is None or (seen[last], last) < (at_ms, value)
        seen[value] = at_ms
        if not is_newest:
            _sort(seen, sorted(seen.items(), key=lambda entry: (entry[1], entry[0])))
        if self._window_ms is not None:
            expired = seen[next(reversed(seen))] - self._window_ms - FUTURE_TOLERANCE_MS
            while seen[oldest := next(iter(seen))] <= expired:
                del seen[oldest]
        if len(seen) > MOST_DISTINCT:
            del seen[next(iter(seen))]

    def read(self, states: dict[str, Any], at_ms: int) -> int:
        seen = states.get(self._key)
        if not seen:
            return 0
        if self._window_ms is None:
            return len(seen)
        since = at_ms - self._window_ms
        if seen[next(iter(seen))] > since:
            return len(seen)
        return len(seen) - bisect.bisect_right(list(seen.values()), since)


class Edge:
    """First or last value by event time, over a window or for life; of several at one instant the smallest or largest.

    The extreme of pairs of time and value.
    """

    def __init__(self, key: str, window_ms: int | None, *, is_last: bool) -> None:
        self._extreme = Extreme(key, window_ms, max if is_last else min)

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        self._extreme.update(states, at_ms, [at_ms, value])

    def read(self, states: dict[str, Any], at_ms: int) -> Any:
        found = self._extreme.read(states, at_ms)
        return found[1] if found else None


class Mean:
    """Mean over a window, or the share of events that matched (values 0 and 1)."""

    def __init__(self, total: Window, count: Window) -> None:
        self._total = total
        self._count = count

    def update(self, states: dict[str, Any], at_ms: int, value: Any) -> None:
        self._total.update(states, at_ms, value)
        self._count.update(states, at_ms, 1)

    def read(self, states: dict[str, Any], at_ms: int) -> float:
        count = self._count.read(states, at_ms)
        return self._total.read(states, at_ms) / count if count else 0.0


def _kept_steps(step_ms: int) -> int:
    """Steps that are kept: the window's, and as many as a sender's clock may run ahead of the others'."""
    return STEPS + -(-FUTURE_TOLERANCE_MS // step_ms)


def _sort(entries: dict[int, Any], in_order: list[tuple[int, Any]]) -> None:
    entries.clear()
    entries.update(in_order)


def _drop_expired(sums: list[int], expired: int) -> None:
    end = 0
    while end < len(sums) and sums[end] <= expired:
        end += 2
    del sums[:end]


def _insert(sums: list[int], step: int, value: int) -> None:
    place = len(sums)
    while place and sums[place - 2] > step:
        place -= 2
    if place and sums[place - 2] == step:
        sums[place - 1] = add_bounded(sums[place - 1], value)
    else:
        sums[place:place] = [step, value]
