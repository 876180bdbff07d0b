"""Timestamps and durations: their texts, and their parts in a zone."""

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from typing import Any

from abuse_service.cel.texts import typed
from abuse_service.cel.values import EARLIEST_NS, LATEST_NS, LONGEST_NS, CelFailure, Duration, Timestamp

_SECOND = 10**9
_UNITS_NS = {"h": 3600 * _SECOND, "m": 60 * _SECOND, "s": _SECOND, "ms": 10**6, "us": 1000, "ns": 1}
_DURATION = re.compile(r"([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:h|ms|m|s|us|ns))+|0)")
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(h|ms|m|s|us|ns)")
_RFC3339 = re.compile(
    r"[ \t\n\v\f\r]*([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)[ \t\n\v\f\r]*"
)
_OFFSET = re.compile(r"([+-]?)([0-9]{1,2}):([0-9]{2})")


def parse_duration(text: str) -> Duration:
    """A duration such as ``1h30m`` or ``-1.5s``. Raises `CelFailure`."""
    found = _DURATION.fullmatch(text) if len(text) <= 100 else None
    if found is None:
        raise CelFailure("a text that is no duration")
    total = 0
    for whole, part, unit in _PART.findall(found[2]):
        total += int(whole or 0) * _UNITS_NS[unit] + int(part or 0) * _UNITS_NS[unit] // 10 ** len(part)
    if total > LONGEST_NS:
        raise CelFailure("a duration out of range")
    return Duration(-total if found[1] == "-" else total)


def parse_timestamp(text: str) -> Timestamp:
    """An instant as in RFC 3339. Raises `CelFailure`."""
    found = _RFC3339.fullmatch(text) if len(text) <= 100 else None
    if found is None:
        raise CelFailure("a text that is no timestamp")
    year, month, day, hour, minute, second = (int(found[number]) for number in range(1, 7))
    try:
        # A leap second is the next minute's first.
        date = dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=dt.UTC)
    except ValueError:
        raise CelFailure("a text that is no timestamp") from None
    if second > 60:
        raise CelFailure("a text that is no timestamp")
    seconds = (date - _EPOCH) // dt.timedelta(seconds=1) + (second == 60) - _offset(found[8])
    return checked(seconds * _SECOND + int(((found[7] or "") + "0" * 9)[:9]))


def _offset(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    if int(digits[:2]) > 23 or int(digits[2:]) > 59:
        raise CelFailure("a text that is no timestamp")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def checked(nanoseconds: int) -> Timestamp:
    """The instant, if it lies in the years 1 to 9999. Raises `CelFailure`."""
    if EARLIEST_NS <= nanoseconds <= LATEST_NS:
        return Timestamp(nanoseconds)
    raise CelFailure("timestamp overflow")


def show_timestamp(value: Timestamp) -> str:
    """RFC 3339, with as many threes of digits as it takes."""
    seconds, nanoseconds = divmod(value.ns, _SECOND)
    date = _EPOCH + dt.timedelta(seconds=seconds)
    return f"{date.replace(tzinfo=None).isoformat()}{_fraction(nanoseconds)}Z"


def show_duration(value: Duration) -> str:
    """Seconds with as many threes of digits as it takes."""
    seconds, nanoseconds = divmod(abs(value.ns), _SECOND)
    return f"{'-' if value.ns < 0 else ''}{seconds}{_fraction(nanoseconds)}s"


def _fraction(nanoseconds: int) -> str:
    digits = f"{nanoseconds:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f".{digits}" if digits else ""


def _zone(name: str) -> dt.tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        try:
            return dt.timezone(dt.timedelta(minutes=-minutes if offset[1] == "-" else minutes))
        except ValueError:
            raise CelFailure("no such time zone") from None
    try:
        return zoneinfo.ZoneInfo(name) if name else dt.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise CelFailure("no such time zone") from None


def _part(read: Callable[[dt.datetime], int]) -> Callable[..., int]:
    def part(value: Any, zone: Any = "") -> int:
        seconds = typed(value, Timestamp).ns // _SECOND
        try:
            return read((_EPOCH + dt.timedelta(seconds=seconds)).astimezone(_zone(typed(zone, str))))
        except OverflowError:
            raise CelFailure("timestamp overflow") from None

    return part


def _part_or_length(read: Callable[[dt.datetime], int], unit_ns: int) -> Callable[..., int]:
    of_instant = _part(read)

    def part(value: Any, *zone: Any) -> int:
        if type(value) is Duration and not zone:
            return abs(value.ns) // unit_ns * (-1 if value.ns < 0 else 1)
        return of_instant(value, *zone)

    return part


def milliseconds(value: Any, *zone: Any) -> int:
    """The milliseconds within the second."""
    if type(value) is Duration and not zone:
        return abs(value.ns) % _SECOND // 10**6 * (-1 if value.ns < 0 else 1)
    _part(lambda _: 0)(value, *zone)
    return int(value.ns % _SECOND // 10**6)


PARTS: dict[str, Callable[..., int]] = {
    "getFullYear": _part(lambda date: date.year),
    "getMonth": _part(lambda date: date.month - 1),
    "getDate": _part(lambda date: date.day),
    "getDayOfMonth": _part(lambda date: date.day - 1),
    "getDayOfWeek": _part(lambda date: date.isoweekday() % 7),
    "getDayOfYear": _part(lambda date: date.timetuple().tm_yday - 1),
    "getHours": _part_or_length(lambda date: date.hour, 3600 * _SECOND),
    "getMinutes": _part_or_length(lambda date: date.minute, 60 * _SECOND),
    "getSeconds": _part_or_length(lambda date: date.second, _SECOND),
    "getMilliseconds": milliseconds,
}
"""Functions that read a part of an instant, in UTC or a named zone; the last four read a duration as well."""
