"""Places, distances and speeds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_service.enrichment.places import (
    BLUR_KM,
    NOWHERE,
    Place,
    distance_km,
    fastest_kmh,
    read_place,
    speed_kmh,
)

HOUR_MS = 3_600_000
BERLIN, PARIS, NEW_YORK, SYDNEY = (52.5, 13.4), (48.9, 2.4), (40.7, -74.0), (-33.9, 151.2)
points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("said", "place"),
    [
        (("de", 52.5163, 13.3777), Place("DE", 52.5, 13.4)),
        ((" DE ", None, None), Place("DE")),
        (("Germany", None, None), NOWHERE),
        (("XX", None, None), NOWHERE),
        (("\u00c4\u00d6", None, None), NOWHERE),
        (("", 52.5, 13.4), Place("", 52.5, 13.4)),
        (("DE", 52.5, None), Place("DE")),
        (("DE", 90.1, 0.0), Place("DE")),
        (("DE", float("nan"), 0.0), Place("DE")),
        (("DE", 0.0, 0.0), Place("DE")),
        ((None, None, None), NOWHERE),
        (("T1", None, None), Place(is_tor=True)),
    ],
)
def test_place_is_read(said: tuple[str | None, float | None, float | None], place: Place) -> None:
    """A place is a country and a tenth of a degree; what makes no sense says nothing."""
    assert read_place(*said) == place


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        (BERLIN, BERLIN, 0),
        (BERLIN, PARIS, 879),
        (BERLIN, NEW_YORK, 6385),
        (NEW_YORK, SYDNEY, 15990),
        ((0, 0), (0, 180), 20015),
        ((90, 0), (-90, 77), 20015),
        ((0, 179.9), (0, -179.9), 22),
    ],
)
def test_distance_is_the_way_over_the_globe(one: tuple[float, float], other: tuple[float, float], km: float) -> None:
    """Known ways come out within a percent."""
    assert distance_km(one, other) == pytest.approx(km, rel=0.01, abs=0.5)


@given(points, points)
def test_distance_is_the_same_both_ways(one: tuple[float, float], other: tuple[float, float]) -> None:
    """There and back are equally far, and nothing is further than half around the globe."""
    assert 0 <= distance_km(one, other) <= 20016
    assert distance_km(one, other) == pytest.approx(distance_km(other, one))


def test_speed_grants_what_places_blur() -> None:
    """Neighbouring places are no travel; a longer way is travel in the time that lay between, a minute at least."""
    assert speed_kmh((0, *BERLIN), (1, 52.4, 13.1)) == 0
    assert speed_kmh((0, *BERLIN), (HOUR_MS, *PARIS)) == pytest.approx(distance_km(BERLIN, PARIS) - BLUR_KM)
    assert speed_kmh((HOUR_MS, *PARIS), (0, *BERLIN)) == speed_kmh((0, *BERLIN), (HOUR_MS, *PARIS))
    assert speed_kmh((0, *BERLIN), (0, *PARIS)) == speed_kmh((0, *BERLIN), (60_000, *PARIS))


def test_fastest_way_between_successive_places_counts() -> None:
    """Only successive sightings make a journey; a slow one hides no fast one."""
    seen = [(0, *BERLIN), (10 * HOUR_MS, *NEW_YORK), (11 * HOUR_MS, *SYDNEY)]
    assert fastest_kmh(seen) == pytest.approx(speed_kmh(seen[1], seen[2]))
    assert fastest_kmh(seen[:2]) < 700
    assert fastest_kmh([(0, *BERLIN), (1, *BERLIN)]) == fastest_kmh([]) == 0


@given(st.lists(st.tuples(st.integers(0, 10**10), st.floats(-90, 90), st.floats(-180, 180)), max_size=8), st.integers())
def test_order_does_not_matter(seen: list[tuple[int, float, float]], seed: int) -> None:
    """The same sightings in any order, or told twice, make the same speed."""
    mixed = seen * 2
    random.Random(seed).shuffle(mixed)
    assert fastest_kmh(mixed) == fastest_kmh(seen)
