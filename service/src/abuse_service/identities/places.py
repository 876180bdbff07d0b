"""The places where an identity was lately: as few as tell how fast it travels, and the same in any order of arrival.

Of each place the first and the last time within a stretch are kept, for the stretches of a day before the newest.
"""

from bisect import bisect_left
from collections.abc import Iterator

from abuse_service.events.event import Facts

STRETCH_MS = 4 * 3_600_000
KEPT_STRETCHES = 7
"""A day, wherever in its stretch it begins."""

MOST_STAYS = 16
"""The newest stretches stay; of one stretch with more places, those that come last by country and spot."""

DAY_MS = 86_400_000

Stay = tuple[int, str, int, int, int]
"""Stretch, country, spot (-1 where only the country is known), first and last time in epoch milliseconds."""

_ROW = 3601
_NO_SPOT = -1


def note_place(stays: list[Stay], at_ms: int, facts: Facts) -> None:
    """Note where an event came from, unless that hides where the person is: a hosting provider's network, a VPN."""
    if not facts.country and facts.latitude is None:
        return
    if facts.is_hosting or facts.network_kind == "anonymizer":
        return
    stretch = at_ms // STRETCH_MS
    key = (stretch, facts.country, _spot(facts.latitude, facts.longitude))
    place = bisect_left(stays, key)
    if place < len(stays) and stays[place][:3] == key:
        first, last = stays[place][3:]
        if at_ms < first or at_ms > last:
            stays[place] = (*key, min(first, at_ms), max(last, at_ms))
        return
    stays.insert(place, (*key, at_ms, at_ms))
    oldest = stays[-1][0] - KEPT_STRETCHES
    gone = max(bisect_left(stays, (oldest + 1,)), len(stays) - MOST_STAYS)
    del stays[:gone]


def sightings(stays: list[Stay], at_ms: int) -> Iterator[tuple[int, float, float]]:
    """When and at which coordinates the identity was seen within the day before an instant, and at it."""
    for _, _, spot, first, last in stays:
        if spot != _NO_SPOT:
            point = spot // _ROW / 10 - 90, spot % _ROW / 10 - 180
            for seen in (first, last):
                if at_ms - DAY_MS < seen <= at_ms:
                    yield seen, round(point[0], 1), round(point[1], 1)


def count_countries(stays: list[Stay], at_ms: int, window_ms: int) -> int:
    """In how many countries the identity was seen within the time before an instant, and at it."""
    return len({stay[1] for stay in stays if stay[1] and stay[3] <= at_ms and stay[4] > at_ms - window_ms})


def _spot(latitude: float | None, longitude: float | None) -> int:
    if latitude is None or longitude is None:
        return _NO_SPOT
    return round((latitude + 90) * 10) * _ROW + round((longitude + 180) * 10)
