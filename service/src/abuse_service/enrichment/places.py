"""Where an address is, and how fast somebody got from one place to the next. Pure arithmetic."""

import functools
import itertools
import math
from collections.abc import Iterable

import msgspec

_EARTH_KM = 6371.0088
BLUR_KM = 200.0
"""What the place of an address may be off by: a shorter way is no travel, a longer one counts from here."""

_SHORTEST_HOURS = 1 / 60
_LONGEST_COUNTRY = 8
_HOUR_MS = 3_600_000
_UNKNOWN_COUNTRIES = frozenset({"XX", "ZZ"})
# What an edge network says in place of a country where the address is an exit of Tor.
_TOR_COUNTRY = "T1"


class Place(msgspec.Struct, frozen=True):
    """Where an address is. ``country`` is ISO 3166-1 alpha-2, empty when unknown; coordinates to a tenth of a degree.

    ``is_tor`` where there is no place to name, but an exit of Tor.
    """

    country: str = ""
    latitude: float | None = None
    longitude: float | None = None
    is_tor: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything is known at all."""
        return bool(self.country) or self.latitude is not None


NOWHERE = Place()
_TOR = Place(is_tor=True)

Sighting = tuple[int, float, float]
"""When (epoch milliseconds), and where: latitude and longitude in degrees."""


def read_place(country: str | None, latitude: float | None, longitude: float | None) -> Place:
    """The place that three fields name; what makes no sense says nothing."""
    return _read(country[:_LONGEST_COUNTRY] if country else None, latitude, longitude)


@functools.lru_cache(maxsize=5_000)
def _read(country: str | None, latitude: float | None, longitude: float | None) -> Place:
    if country == _TOR_COUNTRY:
        return _TOR
    code = (country or "").strip().upper()
    if len(code) != 2 or not (code.isascii() and code.isalpha()) or code in _UNKNOWN_COUNTRIES:
        code = ""
    north, east = _degrees(latitude, 90.0), _degrees(longitude, 180.0)
    # Zero and zero is what senders write for nothing; there is but water.
    if north is None or east is None or (north == 0 and east == 0):
        return Place(code) if code else NOWHERE
    return Place(code, north, east)


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The way over the globe between two points, each latitude and longitude in degrees."""
    north, other_north = math.radians(one[0]), math.radians(other[0])
    across = math.sin((other_north - north) / 2) ** 2
    along = math.sin(math.radians(other[1] - one[1]) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, across + math.cos(north) * math.cos(other_north) * along)))


def speed_kmh(one: Sighting, other: Sighting) -> float:
    """How fast somebody went who was seen at both, at the least: `BLUR_KM` and a minute are granted."""
    way_km = distance_km(one[1:], other[1:]) - BLUR_KM
    return max(0.0, way_km) / max(_SHORTEST_HOURS, abs(other[0] - one[0]) / _HOUR_MS)


def fastest_kmh(sightings: Iterable[Sighting]) -> float:
    """The fastest speed between successive sightings, in whatever order they are given; 0 where nobody moved."""
    ordered = sorted(set(sightings))
    pairs = itertools.pairwise(ordered)
    return max((speed_kmh(one, other) for one, other in pairs if one[1:] != other[1:]), default=0.0)


def _degrees(said: float | None, most: float) -> float | None:
    # Adding nothing makes no zero a negative one.
    return round(float(said), 1) + 0.0 if said is not None and -most <= said <= most else None
