"""Windows against a model that keeps every event and counts by hand (decision 12)."""

import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_service.events.event import FUTURE_TOLERANCE_MS
from abuse_service.features import distinct, top, windows
from abuse_service.features.declaration import SMALLEST_ERROR, Aggregate
from abuse_service.features.rows import (
    FEW_ROWS,
    GRACE_MS,
    LIFE_ROWS,
    MOST_ROWS,
    fraction_bytes,
    fraction_of,
    whole_bytes,
    whole_of,
)
from abuse_service.features.windows import make_window
from abuse_service.identities.merge import add_bounded
from abuse_service.testing import NOW_MS, TOKENS

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Values = list[tuple[int, int]]
"""Times with values."""

STEPPED = [
    Aggregate.COUNT,
    Aggregate.SUM,
    Aggregate.MEAN,
    Aggregate.RATIO,
    Aggregate.RATE,
    Aggregate.MIN,
    Aggregate.MAX,
]


class Told:
    """A feature that takes events one at a time."""

    def __init__(self, aggregate: Aggregate, window_ms: int | None, approximate: float | None = None) -> None:
        self.aggregate = aggregate
        self.window = make_window(aggregate, window_ms, approximate, lambda kept: "k")
        self.states: dict[str, object] = {}

    def take(self, values: Values) -> "Told":
        """Tell it of events, in this order."""
        for at_ms, value in values:
            self.window.update(self.states, at_ms, self._typed(value))
        return self

    def read(self, at_ms: int) -> object:
        """What it says as of an instant."""
        return self.window.together([self.window.part(self.states, at_ms)])

    def _typed(self, value: int) -> object:
        if self.aggregate is Aggregate.DISTINCT:
            return TOKENS.short_of(str(value))
        return str(value) if self.aggregate is Aggregate.TOP else value

    @property
    def packed(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.Encoder(order="deterministic").encode(self.states)


def inside(values: Values, window_ms: int | None, at_ms: int) -> Values:
    """The values that the window holds at the instant, to the millisecond."""
    since_ms = -1 if window_ms is None else at_ms - window_ms
    return sorted(entry for entry in values if since_ms < entry[0] <= at_ms)


def by_hand(aggregate: Aggregate, held: Values, window_ms: int | None, at_ms: int) -> object:
    """What the aggregate of these values is."""
    numbers = [value for _, value in held]
    match aggregate:
        case Aggregate.COUNT:
            return len(numbers)
        case Aggregate.RATE:
            return len(numbers) * 1000 / window_ms if window_ms else None
        case Aggregate.SUM:
            return sum(numbers)
        case Aggregate.MEAN:
            return statistics.fmean(numbers) if numbers else 0.0
        case Aggregate.RATIO:
            return statistics.fmean(map(bool, numbers)) if numbers else 0.0
        case Aggregate.MIN:
            return min(numbers, default=None)
        case Aggregate.MAX:
            return max(numbers, default=None)
        case Aggregate.FIRST:
            return held[0][1] if held else None
        case Aggregate.LAST:
            return held[-1][1] if held else None
        case Aggregate.DISTINCT:
            return len(set(numbers))
        case Aggregate.TOP:
            texts = Counter(map(str, numbers))
            return min(texts, key=lambda text: (-texts[text], text)) if texts else None
        case Aggregate.AGE:
            return (at_ms - held[0][0]) / 1000 if held else None


def check(told: Told, values: Values, window_ms: int | None, at_ms: int) -> None:
    """Hold the feature against the model."""
    expected = by_hand(told.aggregate, inside(values, window_ms, at_ms), window_ms, at_ms)
    found = told.read(at_ms)
    assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)


@contextmanager
def small_bounds() -> Iterator[None]:
    """A world in which little is kept, so that few events reach every bound."""
    with (
        patch.multiple(windows, MOST_ROWS=6, FEW_ROWS=3, LIFE_ROWS=3),
        patch.object(top, "MOST_ROWS", 6),
        patch.object(distinct, "MOST_DISTINCT", 5),
    ):
        yield


times = st.integers(NOW_MS - 150 * MINUTE_MS, NOW_MS) | st.integers(NOW_MS - 50, NOW_MS)
values_at = st.lists(st.tuples(times, st.integers(-5, 5)), max_size=LIFE_ROWS)
shapes = st.sampled_from(
    [
        (aggregate, window_ms)
        for aggregate in Aggregate
        for window_ms in (None, MINUTE_MS, HOUR_MS, 10 * DAY_MS, 90 * DAY_MS)
        if (aggregate, window_ms) != (Aggregate.RATE, None) and not (aggregate is Aggregate.AGE and window_ms)
    ]
)
steps = st.tuples(st.sampled_from(STEPPED), st.sampled_from([MINUTE_MS, HOUR_MS]), st.sampled_from([0.02, 0.1, 0.5]))


@given(shape=shapes, values=values_at, back_ms=st.integers(-2 * HOUR_MS, 2 * HOUR_MS) | st.integers(0, 50))
@settings(max_examples=1500, deadline=None)
def test_window_equals_the_model(shape: tuple[Aggregate, int | None], values: Values, back_ms: int) -> None:
    """As of any instant, for any order of arrival, a window says to the millisecond what counting by hand says."""
    aggregate, window_ms = shape
    at_ms = NOW_MS - back_ms
    newest_ms = max((at for at, _ in values), default=0)
    if aggregate is Aggregate.DISTINCT and window_ms:
        at_ms = max(at_ms, newest_ms - GRACE_MS)
    check(Told(aggregate, window_ms).take(values), values, window_ms, at_ms)


@given(shape=steps, values=values_at, back_ms=st.integers(-2 * HOUR_MS, GRACE_MS))
@settings(max_examples=300, deadline=None)
def test_few_events_are_exact_however_declared(
    shape: tuple[Aggregate, int, float], values: Values, back_ms: int
) -> None:
    """An approximate feature is exact while an entity has fewer events than are kept one by one."""
    aggregate, window_ms, share = shape
    at_ms = max((at for at, _ in values), default=NOW_MS) - back_ms
    check(Told(aggregate, window_ms, share).take(values), values, window_ms, at_ms)


def shuffled_alike(told: list[Told], values: Values, data: st.DataObject) -> None:
    """Tell one feature in order and another in any, and hold their states together."""
    one, other = told
    assert one.take(sorted(values)).packed == other.take(data.draw(st.permutations(values))).packed


@given(data=st.data(), shape=shapes, values=values_at, is_small=st.booleans())
@settings(max_examples=500, deadline=None)
def test_order_leaves_one_state(
    data: st.DataObject, shape: tuple[Aggregate, int | None], values: Values, is_small: bool
) -> None:
    """Whatever order the events came in, the state is the same to the byte, also where its bounds are reached."""
    if is_small:
        with small_bounds():
            shuffled_alike([Told(*shape), Told(*shape)], values, data)
    else:
        shuffled_alike([Told(*shape), Told(*shape)], values, data)


@given(data=st.data(), shape=steps, values=values_at)
@settings(max_examples=300, deadline=None)
def test_order_leaves_one_state_of_steps(
    data: st.DataObject, shape: tuple[Aggregate, int, float], values: Values
) -> None:
    """Older events that were folded into steps leave the same steps in any order."""
    with small_bounds():
        shuffled_alike([Told(*shape), Told(*shape)], values, data)


@given(shape=steps, values=values_at, back_ms=st.integers(-HOUR_MS, GRACE_MS))
@settings(max_examples=500, deadline=None)
def test_step_bounds_the_error(shape: tuple[Aggregate, int, float], values: Values, back_ms: int) -> None:
    """An approximate count holds every event of its window but those within a step of its ends, and no other."""
    _, window_ms, share = shape
    step_ms = int(window_ms * share)
    at_ms = max((at for at, _ in values), default=NOW_MS) - back_ms
    with small_bounds():
        found = Told(Aggregate.COUNT, window_ms, share).take(values).read(at_ms)
    surely = [at for at, _ in values if at_ms - window_ms + step_ms < at <= at_ms - step_ms]
    assert len(surely) <= found <= len(inside(values, window_ms, at_ms))  # type: ignore[operator]


@pytest.mark.parametrize("share", [0.02, 0.1])
@pytest.mark.parametrize("window_ms", [MINUTE_MS, HOUR_MS, DAY_MS])
def test_busy_entity_keeps_the_declared_error(window_ms: int, share: float) -> None:
    """Of an even stream of 20,000 events in one window the count is off by no more than the declared share."""
    values = [(NOW_MS + number * window_ms // 20_000, 1) for number in range(25_000)]
    told = Told(Aggregate.COUNT, window_ms, share).take(values)
    assert (1 - share) * 20_000 - 1 <= told.read(values[-1][0]) <= 20_000  # type: ignore[operator]


@given(shape=shapes, values=values_at)
@settings(max_examples=300, deadline=None)
def test_exact_feature_looks_at_the_newest(shape: tuple[Aggregate, int | None], values: Values) -> None:
    """Beyond its bound an exact window says what the newest events say, and a total for life still counts all."""
    aggregate, window_ms = shape
    at_ms = max((at for at, _ in values), default=NOW_MS)
    if aggregate is Aggregate.DISTINCT:
        return
    if aggregate is Aggregate.RATIO:
        # It keeps flags: of several events at one instant those that matched are the newest.
        values = [(at, int(bool(value))) for at, value in values]
    looks_at = 6 if window_ms or aggregate is Aggregate.TOP else len(values)
    with small_bounds():
        check(Told(aggregate, window_ms).take(values), sorted(values)[-looks_at:] if looks_at else [], window_ms, at_ms)


@given(values=values_at, back_ms=st.integers(0, 3 * HOUR_MS))
@settings(max_examples=300, deadline=None)
def test_life_never_counts_what_came_later(values: Values, back_ms: int) -> None:
    """A total for life as of an earlier instant never holds more than had happened, however much was folded."""
    at_ms = NOW_MS - back_ms
    with small_bounds():
        found = Told(Aggregate.COUNT, None).take(values).read(at_ms)
    assert found <= len(inside(values, None, at_ms))  # type: ignore[operator]


# distinct


@pytest.mark.parametrize("window_ms", [None, HOUR_MS])
@pytest.mark.parametrize("number", [900, 1000, 5000, 100_000])
def test_distinct_is_estimated_within_its_error(window_ms: int | None, number: int) -> None:
    """A declared estimate is exact up to 1,000 values and keeps its error beyond; without it the count stops there."""
    start_ms = NOW_MS - NOW_MS % HOUR_MS
    values = [(start_ms + place % HOUR_MS, place) for place in range(number)]
    at_ms = start_ms + HOUR_MS - 1
    found = Told(Aggregate.DISTINCT, window_ms, SMALLEST_ERROR).take(values).read(at_ms)
    assert found == (number if number < 1000 else pytest.approx(number, rel=SMALLEST_ERROR))
    assert Told(Aggregate.DISTINCT, window_ms).take(values).read(at_ms) == min(number, 1000)


def test_distinct_window_moves_between_cells() -> None:
    """The estimate of a window that lies over two cells is off by its error of what both hold, at most."""
    number = 20_000
    values = [(NOW_MS + place * HOUR_MS // number, place) for place in range(2 * number)]
    told = Told(Aggregate.DISTINCT, HOUR_MS, SMALLEST_ERROR).take(values)
    for minutes in range(0, 75, 5):
        at_ms = NOW_MS + HOUR_MS + minutes * MINUTE_MS
        expected = len(inside(values, HOUR_MS, at_ms))
        assert abs(told.read(at_ms) - expected) <= SMALLEST_ERROR * 2 * number  # type: ignore[operator]


# bounds


@pytest.mark.parametrize("approximate", [None, 0.02])
@pytest.mark.parametrize("window_ms", [MINUTE_MS, HOUR_MS, DAY_MS, None])
@pytest.mark.parametrize("aggregate", [one for one in Aggregate if one not in (Aggregate.AGE, Aggregate.RATE)])
def test_size_is_bounded(aggregate: Aggregate, window_ms: int | None, approximate: float | None) -> None:
    """Once its bound is reached a state grows no further, whatever comes."""
    if approximate is not None and (aggregate not in STEPPED or window_ms is None):
        approximate = None
    told = Told(aggregate, window_ms, approximate)
    sizes = []
    for part in range(4):
        at = ((NOW_MS + number * 997, number) for number in range(part * 3000, (part + 1) * 3000))
        sizes.append(len(told.take(list(at)).packed))
    most_rows = 14 * MOST_ROWS if aggregate is not Aggregate.TOP else 40 * MOST_ROWS
    most_steps = 20 * (50 + GRACE_MS // 1000) + 14 * FEW_ROWS
    most = 20 * 4 * distinct.MOST_DISTINCT if aggregate is Aggregate.DISTINCT else max(most_rows, most_steps)
    assert max(sizes) <= most


def test_no_event_costs_more_than_another() -> None:
    """An event touches as much of a state of a hundred thousand events as of one of two thousand, to the byte."""
    told = Told(Aggregate.SUM, HOUR_MS).take([(NOW_MS + number * 10, number) for number in range(2000)])
    early = len(told.packed)
    told.take([(NOW_MS + number * 10, number) for number in range(2000, 100_000)])
    assert len(told.packed) == early


@pytest.mark.parametrize("aggregate", list(set(Aggregate) - {Aggregate.AGE}))
@pytest.mark.parametrize("approximate", [None, 0.1])
def test_old_events_leave_no_trace(aggregate: Aggregate, approximate: float | None) -> None:
    """Events that a newer one pushed out of the window are forgotten, whichever came first."""
    if approximate is not None and aggregate not in STEPPED:
        return
    old = [(NOW_MS - 4 * DAY_MS - minute * MINUTE_MS, minute) for minute in range(900)]
    new = [(NOW_MS + MINUTE_MS + FUTURE_TOLERANCE_MS, 1000)]
    packed = [Told(aggregate, HOUR_MS, approximate).take(values).packed for values in (old + new, new, new + old)]
    assert packed[0] == packed[1] == packed[2]


@pytest.mark.parametrize("aggregate", [Aggregate.COUNT, Aggregate.SUM, Aggregate.MAX, Aggregate.LAST])
@pytest.mark.parametrize("window_ms", [MINUTE_MS, HOUR_MS])
@pytest.mark.parametrize("approximate", [None, 0.1])
def test_clock_ahead_blinds_no_window(aggregate: Aggregate, window_ms: int, approximate: float | None) -> None:
    """One event of a sender whose clock runs five minutes ahead makes no window forget what comes after it."""
    if aggregate is Aggregate.LAST:
        approximate = None
    values = [(NOW_MS + FUTURE_TOLERANCE_MS, 1), *((NOW_MS - 1000, 1) for _ in range(9)), (NOW_MS, 1)]
    expected = 10 if aggregate in (Aggregate.COUNT, Aggregate.SUM) else 1
    assert Told(aggregate, window_ms, approximate).take(values).read(NOW_MS) == expected


@pytest.mark.parametrize("age_ms", [0, 1, MINUTE_MS - 1, MINUTE_MS, MINUTE_MS + 1])
def test_minute_ends_after_sixty_seconds(age_ms: int) -> None:
    """A window of a minute ends to the millisecond: what is 60 seconds old no longer counts."""
    assert Told(Aggregate.COUNT, MINUTE_MS).take([(NOW_MS, 1)]).read(NOW_MS + age_ms) == (age_ms < MINUTE_MS)


@pytest.mark.parametrize("aggregate", Aggregate)
def test_nothing_is_neutral(aggregate: Aggregate) -> None:
    """Without an event numbers are 0, and a value that must come from an event is unknown."""
    nothing = Told(aggregate, None if aggregate is Aggregate.AGE else HOUR_MS).read(NOW_MS)
    without = (Aggregate.MIN, Aggregate.MAX, Aggregate.FIRST, Aggregate.LAST, Aggregate.TOP, Aggregate.AGE)
    assert nothing == (None if aggregate in without else 0)


@pytest.mark.parametrize("aggregate", [one for one in Aggregate if one is not Aggregate.AGE])
def test_several_entities_read_as_one(aggregate: Aggregate) -> None:
    """A feature over several entities is what it would be over one that had all their events."""
    values = [(NOW_MS - number * 1000, number % 7) for number in range(60)]
    told = [Told(aggregate, HOUR_MS).take(values[place::3]) for place in range(3)]
    found = told[0].window.together([one.window.part(one.states, NOW_MS) for one in told])
    whole = Told(aggregate, HOUR_MS).take(values).read(NOW_MS)
    assert found == pytest.approx(whole) if isinstance(whole, float) else found == whole


def test_totals_stay_storable() -> None:
    """A total stops at 62 bits, in both directions."""
    assert add_bounded(2**62 - 1, 2**53) == 2**62
    assert add_bounded(-(2**62), -1) == -(2**62)
    many = [(NOW_MS, 2**61)] * 500
    for window_ms in (None, HOUR_MS):
        told = Told(Aggregate.SUM, window_ms).take(many)
        assert told.read(NOW_MS) == 2**62
        assert told.packed


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**62), 2**62), min_size=2))
def test_bytes_sort_as_numbers_do(numbers: list[float]) -> None:
    """Values as bytes are in the order of the numbers, and give them back."""
    floats = [float(number) for number in numbers]
    assert [fraction_of(said) for said in sorted(map(fraction_bytes, floats))] == sorted(floats)
    wholes = [number for number in numbers if isinstance(number, int)]
    assert [whole_of(said) for said in sorted(map(whole_bytes, wholes))] == sorted(wholes)
