"""Numbers, equality and order as CEL defines them."""

import math
import operator
from collections.abc import Callable
from typing import Any

from abuse_service.cel.limits import Meter, short
from abuse_service.cel.values import (
    EARLIEST_NS,
    LARGEST_INT,
    LARGEST_UINT,
    LATEST_NS,
    SMALLEST_INT,
    CelFailure,
    Duration,
    Optional,
    Timestamp,
    TypeName,
    Uint,
    known,
)

_NUMBERS = frozenset({int, Uint, float})
_PLAIN = frozenset({int, Uint, float, str, bytes, bool, type(None), Timestamp, Duration, TypeName})
_ORDERED = frozenset({int, Uint, float, str, bytes, bool, Timestamp, Duration})
_KNOWN = _PLAIN | {list, dict, Optional}


def int64(value: int) -> int:
    """The value, if it fits. Raises `CelFailure`."""
    if SMALLEST_INT <= value <= LARGEST_INT:
        return value
    raise CelFailure("integer overflow")


def over() -> int:
    """Raise for a value that does not fit."""
    raise CelFailure("integer overflow")


def uint64(value: int) -> Uint:
    """The value, if it fits. Raises `CelFailure`."""
    if 0 <= value <= LARGEST_UINT:
        return Uint(value)
    raise CelFailure("unsigned integer overflow")


def bool_(value: Any) -> bool:
    """The value, if it is a bool. Raises `CelFailure`."""
    if value is True or value is False:
        return value
    known(value)
    raise _mismatch()


def _mismatch() -> CelFailure:
    return CelFailure("no function takes values of these types")


def divide(left: Any, right: Any) -> Any:
    """Towards zero for integers; a double divided by zero is infinite or no number."""
    kind = type(left)
    if kind is not type(right) or kind not in _NUMBERS:
        raise _mismatch()
    if kind is float:
        if right == 0.0:
            if left == 0.0 or left != left:
                return math.nan
            return math.copysign(math.inf, left) * math.copysign(1.0, right)
        return left / right
    if right == 0:
        raise CelFailure("divide by zero")
    found = abs(left) // abs(right)
    return Uint(found) if kind is Uint else int64(found if (left < 0) == (right < 0) else -found)


def modulo(left: Any, right: Any) -> Any:
    """The rest of `divide`, with the sign of the left."""
    kind = type(left)
    if kind is not type(right) or kind is float or kind not in _NUMBERS:
        raise _mismatch()
    if right == 0:
        raise CelFailure("modulus by zero")
    if kind is Uint:
        return Uint(int(left) % int(right))
    if left == SMALLEST_INT and right == -1:
        raise CelFailure("integer overflow")
    found = abs(left) % abs(right)
    return -found if left < 0 else found


def negate(value: Any) -> Any:
    """The value with the other sign."""
    if type(value) is int:
        return int64(-value)
    if type(value) is float:
        return -value
    raise _mismatch()


def add(left: Any, right: Any) -> Any:
    """Numbers, texts, lists and times of one type, and a time and a duration."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is int:
            return int64(left + right)
        if kind is Uint:
            return uint64(int(left) + int(right))
        if kind is float:
            return left + right
        if kind is str or kind is bytes or kind is list:
            return short(left + right)
        if kind is Duration:
            return Duration(int64(_nanoseconds(left) + _nanoseconds(right)))
    elif {kind, other} == {Timestamp, Duration}:
        return _instant(left.ns + right.ns)
    raise _mismatch()


def subtract(left: Any, right: Any) -> Any:
    """Numbers and times."""
    kind, other = type(left), type(right)
    if kind is other:
        if kind is int:
            return int64(left - right)
        if kind is Uint:
            return uint64(int(left) - int(right))
        if kind is float:
            return left - right
        if kind is Duration:
            return Duration(int64(_nanoseconds(left) - _nanoseconds(right)))
        if kind is Timestamp:
            return Duration(int64(left.ns - right.ns))
    elif kind is Timestamp and other is Duration:
        return _instant(left.ns - right.ns)
    raise _mismatch()


def multiply(left: Any, right: Any) -> Any:
    """Numbers of one type."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return int64(left * right)
        if kind is Uint:
            return uint64(int(left) * int(right))
        if kind is float:
            return left * right
    raise _mismatch()


def _nanoseconds(value: Duration) -> int:
    # The reference engine calculates with durations of 292 years at most, and takes longer ones for that.
    return max(SMALLEST_INT, min(LARGEST_INT, value.ns))


def _instant(nanoseconds: int) -> Timestamp:
    if EARLIEST_NS <= nanoseconds <= LATEST_NS:
        return Timestamp(nanoseconds)
    raise CelFailure("timestamp overflow")


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        kind, other = type(left), type(right)
        if kind is other and kind in _ORDERED:
            return test(left, right)
        if kind in _NUMBERS and other in _NUMBERS:
            # The reference engine compares an integer with a double as doubles.
            return test(float(left), float(right)) if kind is float or other is float else test(int(left), int(right))
        raise _mismatch()

    return compare


less, less_equal = _compare(operator.lt), _compare(operator.le)
greater, greater_equal = _compare(operator.gt), _compare(operator.ge)


def equal(left: Any, right: Any, meter: Meter | None = None) -> bool:
    """Equality over all types: numbers by value, lists and maps by what they hold; other types are never equal."""
    kind, other = type(left), type(right)
    if kind is other and kind in _PLAIN:
        return bool(left == right)
    return _Equality(meter or Meter()).holds(left, right)


def unequal(left: Any, right: Any, meter: Meter | None = None) -> bool:
    """The contrary of `equal`."""
    return not equal(left, right, meter)


class _Equality:
    """A deep comparison. Parts may be shared, so what is small in memory can be long to walk: each pair is paid for."""

    def __init__(self, meter: Meter) -> None:
        self._spend = meter.spend

    def holds(self, left: Any, right: Any) -> bool:
        self._spend(1)
        kind, other = type(left), type(right)
        if kind not in _KNOWN or other not in _KNOWN:
            raise _mismatch()
        if kind in _NUMBERS and other in _NUMBERS:
            return bool(float(left) == float(right) if kind is float or other is float else int(left) == int(right))
        if kind is not other:
            return False
        if kind is list:
            return len(left) == len(right) and all(map(self.holds, left, right))
        if kind is dict:
            return len(left) == len(right) and all(
                has_key(key, right) and self.holds(held, right[key]) for key, held in left.items()
            )
        if kind is Optional:
            both = left.is_present and right.is_present
            return self.holds(left.value, right.value) if both else left.is_present == right.is_present
        return bool(left == right)


def has_key(key: Any, holder: dict[Any, Any]) -> bool:
    """Whether a map has the key. Python takes 1 and ``True`` for one key; CEL does not."""
    kind = type(key)
    if kind is str:
        return key in holder
    if kind is not bool and kind not in _NUMBERS:
        raise _mismatch()
    return key in holder and (kind is bool) == any(type(held) is bool for held in holder)


def contains(element: Any, holder: Any, meter: Meter | None = None) -> bool:
    """``in``, for a list or the keys of a map."""
    if type(holder) is dict:
        return has_key(element, holder)
    if type(holder) is not list:
        raise _mismatch()
    if type(element) not in _KNOWN:
        raise _mismatch()
    equality = _Equality(meter or Meter())
    return any(equality.holds(element, held) for held in holder)
