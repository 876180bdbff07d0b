"""Conversions between the types, by the names of the types: ``int("5")``, ``string(1.5)``, ``timestamp(0)``."""

import decimal
import math
from typing import Any

from abuse_service.cel import numbers, texts, times
from abuse_service.cel.values import (
    LARGEST_INT,
    SMALLEST_INT,
    CelFailure,
    Duration,
    Optional,
    Timestamp,
    TypeName,
    Uint,
)

_TYPES = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeName: "type",
    Optional: "optional_type",
}
TYPE_NAMES = frozenset(_TYPES.values())


def _no() -> CelFailure:
    return CelFailure("no function takes values of these types")


def to_int(value: Any) -> int:
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is Uint:
        return numbers.int64(int(value))
    if kind is float:
        if not SMALLEST_INT < value < LARGEST_INT:
            raise CelFailure("a double out of the range of int")
        whole: int = math.trunc(value)
        return whole
    if kind is str:
        return numbers.int64(texts.whole_number(value))
    if kind is Timestamp:
        return int(value.ns // 10**9)
    raise _no()


def to_uint(value: Any) -> Uint:
    kind = type(value)
    if kind is int or kind is Uint:
        return numbers.uint64(int(value))
    if kind is float:
        if not 0 <= value < 2.0**64:
            raise CelFailure("a double out of the range of uint")
        return Uint(math.trunc(value))
    if kind is str:
        if "-" in value:
            raise CelFailure("a text that is no number")
        return numbers.uint64(texts.whole_number(value))
    raise _no()


def to_double(value: Any) -> float:
    kind = type(value)
    if kind is float or kind is int or kind is Uint:
        return float(value)
    if kind is str:
        return texts.decimal_number(value)
    raise _no()


def to_string(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is Uint:
        return str(int(value))
    if kind is float:
        return _show_double(value)
    if kind is bytes:
        return str(value.decode())
    if kind is Timestamp:
        return times.show_timestamp(value)
    if kind is Duration:
        return times.show_duration(value)
    raise _no()


def _show_double(value: float) -> str:
    """The shortest digits that lead back, with an exponent from a million on, as the reference engine writes them."""
    if not math.isfinite(value):
        return str(value)
    sign, digits, exponent = decimal.Decimal(repr(value)).normalize().as_tuple()
    if value == 0:
        return "-0" if sign else "0"
    assert isinstance(exponent, int)
    shown = "".join(map(str, digits))
    power = len(shown) + exponent - 1
    minus = "-" if sign else ""
    if not -4 <= power < 6:
        rest = f".{shown[1:]}" if len(shown) > 1 else ""
        return f"{minus}{shown[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{shown}"
    shown = shown.ljust(power + 1, "0")
    rest = f".{shown[power + 1 :]}" if len(shown) > power + 1 else ""
    return f"{minus}{shown[: power + 1]}{rest}"


def to_bytes(value: Any) -> bytes:
    return value.encode() if type(value) is str else bytes(texts.typed(value, bytes))


def to_bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    if texts.typed(value, str) in ("1", "t", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "false", "FALSE", "False"):
        return False
    raise CelFailure("a text that is no bool")


def to_timestamp(value: Any) -> Timestamp:
    if type(value) is Timestamp:
        return value
    if type(value) is int:
        return times.checked(value * 10**9)
    return times.parse_timestamp(texts.typed(value, str))


def to_duration(value: Any) -> Duration:
    return value if type(value) is Duration else times.parse_duration(texts.typed(value, str))


def type_of(value: Any) -> TypeName:
    if type(value) not in _TYPES:
        raise _no()
    return TypeName(_TYPES[type(value)])
