"""Windows against a model that keeps every value and counts by hand."""

import statistics
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_service.events.event import FUTURE_TOLERANCE_MS
from abuse_service.features.declaration import MOST_DISTINCT, STEPS, Aggregate
from abuse_service.features.windows import make_window
from abuse_service.identities.merge import add_bounded
from abuse_service.testing import NOW_MS

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Values = list[tuple[int, int]]
"""Times with values."""

NUMBERS = [
    Aggregate.COUNT,
    Aggregate.SUM,
    Aggregate.MIN,
    Aggregate.MAX,
    Aggregate.MEAN,
    Aggregate.FIRST,
    Aggregate.LAST,
]


def told(aggregate: Aggregate, window_ms: int | None, values: Values) -> dict[str, Any]:
    """The state of a feature that took these values in this order."""
    states: dict[str, Any] = {}
    window = make_window(aggregate, "k", window_ms)
    for at_ms, value in values:
        window.update(states, at_ms, 1 if aggregate is Aggregate.COUNT else value)
    return states


def read(aggregate: Aggregate, window_ms: int | None, values: Values, at_ms: int) -> Any:
    """What a feature that took these values says as of an instant."""
    return make_window(aggregate, "k", window_ms).read(told(aggregate, window_ms, values), at_ms)


def inside(values: Values, window_ms: int | None, at_ms: int) -> Values:
    """The values that the window holds at the instant: steps of a sixtieth of it, the current one included."""
    if window_ms is None:
        return sorted(values)
    step_ms = window_ms // STEPS
    last = at_ms // step_ms
    return sorted(entry for entry in values if last - STEPS < entry[0] // step_ms <= last)


def by_hand(aggregate: Aggregate, held: Values) -> Any:
    """What the aggregate of these values is."""
    numbers = [value for _, value in held]
    match aggregate:
        case Aggregate.COUNT:
            return len(numbers)
        case Aggregate.SUM:
            return sum(numbers)
        case Aggregate.MEAN | Aggregate.RATIO:
            return statistics.fmean(numbers) if numbers else 0.0
        case Aggregate.MIN:
            return min(numbers, default=None)
        case Aggregate.MAX:
            return max(numbers, default=None)
        case Aggregate.FIRST:
            return held[0][1] if held else None
    return held[-1][1] if held else None


times = st.integers(NOW_MS - 150 * MINUTE_MS, NOW_MS)
values_at = st.lists(st.tuples(times, st.integers(-50, 50)), max_size=80)
windows = st.sampled_from([None, MINUTE_MS, HOUR_MS])


@pytest.mark.parametrize("aggregate", [*NUMBERS, Aggregate.RATIO])
@given(values=values_at, window_ms=windows, later_ms=st.integers(0, 2 * HOUR_MS))
@settings(max_examples=60, deadline=None)
def test_window_equals_the_model(aggregate: Aggregate, values: Values, window_ms: int | None, later_ms: int) -> None:
    """As of any instant from the newest event on, a window says what counting by hand says, for any order."""
    if aggregate is Aggregate.RATIO:
        values = [(at_ms, value % 2) for at_ms, value in values]
    at_ms = max((at_ms for at_ms, _ in values), default=NOW_MS) + later_ms
    expected = by_hand(aggregate, inside(values, window_ms, at_ms))
    assert read(aggregate, window_ms, values, at_ms) == pytest.approx(expected)


@pytest.mark.parametrize("aggregate", NUMBERS)
@given(values=values_at.filter(bool), back=st.integers(0, STEPS // 2))
@settings(max_examples=60, deadline=None)
def test_past_is_read_as_of_then(aggregate: Aggregate, values: Values, back: int) -> None:
    """Read as of an earlier instant, a window leaves out what happened later, as far as its own steps reach back."""
    newest_ms = max(at_ms for at_ms, _ in values)
    at_ms = newest_ms - back * MINUTE_MS
    oldest_step = newest_ms // MINUTE_MS - STEPS - FUTURE_TOLERANCE_MS // MINUTE_MS
    kept = [entry for entry in values if entry[0] // MINUTE_MS > oldest_step]
    expected = by_hand(aggregate, inside(kept, HOUR_MS, at_ms))
    assert read(aggregate, HOUR_MS, values, at_ms) == pytest.approx(expected)


@given(values=values_at, window_ms=windows, later_ms=st.integers(0, 2 * HOUR_MS))
@settings(max_examples=100, deadline=None)
def test_distinct_is_exact(values: Values, window_ms: int | None, later_ms: int) -> None:
    """Distinct values are counted to the millisecond, as of any instant from the newest event on."""
    at_ms = max((at_ms for at_ms, _ in values), default=NOW_MS) + later_ms
    expected = {value for seen_ms, value in values if window_ms is None or at_ms - window_ms < seen_ms}
    assert read(Aggregate.DISTINCT, window_ms, values, at_ms) == len(expected)


@pytest.mark.parametrize("aggregate", [*NUMBERS, Aggregate.DISTINCT])
@given(data=st.data(), values=values_at, window_ms=windows)
@settings(max_examples=60, deadline=None)
def test_order_leaves_one_state(
    aggregate: Aggregate, data: st.DataObject, values: Values, window_ms: int | None
) -> None:
    """Whatever order the values came in, the state is the same to the byte."""
    shuffled = data.draw(st.permutations(values))
    assert msgspec.msgpack.encode(told(aggregate, window_ms, shuffled)) == msgspec.msgpack.encode(
        told(aggregate, window_ms, sorted(values))
    )


@pytest.mark.parametrize("aggregate", [Aggregate.MIN, Aggregate.LAST, Aggregate.DISTINCT, Aggregate.SUM])
def test_old_values_leave_no_trace(aggregate: Aggregate) -> None:
    """Values that a newer one pushed out of the window are forgotten, whichever came first."""
    old = [(NOW_MS - HOUR_MS - minute * MINUTE_MS, minute) for minute in range(90)]
    new = [(NOW_MS + MINUTE_MS + FUTURE_TOLERANCE_MS, 1000)]
    assert told(aggregate, HOUR_MS, old + new) == told(aggregate, HOUR_MS, new) == told(aggregate, HOUR_MS, new + old)


@pytest.mark.parametrize("aggregate", [*NUMBERS, Aggregate.DISTINCT])
@pytest.mark.parametrize("window_ms", [MINUTE_MS, HOUR_MS, None])
def test_size_is_bounded(aggregate: Aggregate, window_ms: int | None) -> None:
    """5,000 values take no more room than the steps of a window or the most distinct values."""
    values = [(NOW_MS + number * 137, number) for number in range(5000)]
    states = told(aggregate, window_ms, values)
    assert len(msgspec.msgpack.encode(states)) <= (
        20 * MOST_DISTINCT if aggregate is Aggregate.DISTINCT else 20 * 6 * STEPS
    )


@pytest.mark.parametrize("aggregate", [Aggregate.COUNT, Aggregate.SUM, Aggregate.MAX, Aggregate.LAST])
@pytest.mark.parametrize("window_ms", [MINUTE_MS, HOUR_MS])
def test_clock_ahead_blinds_no_window(aggregate: Aggregate, window_ms: int) -> None:
    """One event of a sender whose clock runs five minutes ahead makes no window forget what comes after it."""
    values = [(NOW_MS + FUTURE_TOLERANCE_MS, 1), *((NOW_MS - 1000, 1) for _ in range(9)), (NOW_MS, 1)]
    expected = 10 if aggregate in (Aggregate.COUNT, Aggregate.SUM) else 1
    assert read(aggregate, window_ms, values, NOW_MS) == expected


def test_distinct_stops_at_a_thousand() -> None:
    """Beyond 1,000 values the count stays at 1,000, and it is the oldest that are forgotten."""
    values = [(NOW_MS + number, number) for number in range(1500)]
    state = told(Aggregate.DISTINCT, None, values)["k"]
    assert list(state) == list(range(500, 1500))
    assert read(Aggregate.DISTINCT, HOUR_MS, values, NOW_MS + 1500) == 1000


@pytest.mark.parametrize(
    ("age_ms", "counted"),
    [(0, 1), (MINUTE_MS - 1000, 1), (MINUTE_MS, 0), (MINUTE_MS + 1000, 0)],
)
def test_minute_ends_at_sixty_seconds(age_ms: int, counted: int) -> None:
    """A window of a minute moves by the second: what is 60 seconds old no longer counts."""
    assert read(Aggregate.COUNT, MINUTE_MS, [(NOW_MS, 1)], NOW_MS + age_ms) == counted


@pytest.mark.parametrize("aggregate", [Aggregate.COUNT, Aggregate.SUM, Aggregate.DISTINCT])
def test_nothing_counts_as_zero(aggregate: Aggregate) -> None:
    """Without an event the count, the sum and the number of distinct values are 0."""
    assert read(aggregate, HOUR_MS, [], NOW_MS) == 0


@pytest.mark.parametrize("aggregate", [Aggregate.MIN, Aggregate.MAX, Aggregate.FIRST, Aggregate.LAST])
def test_nothing_has_no_extreme(aggregate: Aggregate) -> None:
    """Without an event there is no smallest, largest, first or last value."""
    assert read(aggregate, None, [], NOW_MS) is None


def test_totals_stay_storable() -> None:
    """A total stops at 62 bits, in both directions."""
    assert add_bounded(2**62 - 1, 2**53) == 2**62
    assert add_bounded(-(2**62), -1) == -(2**62)
    many = [(NOW_MS, 2**61)] * 5
    assert read(Aggregate.SUM, None, many, NOW_MS) == read(Aggregate.SUM, HOUR_MS, many, NOW_MS) == 2**62
