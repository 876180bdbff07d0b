"""What generated code calls, by the names that CEL gives: conversions, fields, optional values, absorbing logic."""

from collections.abc import Callable, Iterable
from typing import Any

from abuse_service.cel import conversions, numbers, texts, times
from abuse_service.cel.numbers import bool_
from abuse_service.cel.values import (
    FAILURES,
    NONE,
    CelFailure,
    Duration,
    Optional,
    Uint,
)


def _no() -> CelFailure:
    return CelFailure("no function takes values of these types")


# fields and elements


def field(holder: Any, name: str) -> Any:
    """``holder.name``; of an optional map it is optional as well."""
    if type(holder) is dict:
        return holder[name]
    if type(holder) is Optional:
        return optional_field(holder, name)
    raise CelFailure("expected a map to read a field of")


def has_field(holder: Any, name: str) -> bool:
    if type(holder) is dict:
        return name in holder
    if type(holder) is Optional:
        return bool(holder.is_present) and has_field(holder.value, name)
    raise CelFailure("expected a map to read a field of")


def element(holder: Any, key: Any) -> Any:
    """``holder[key]``. Raises `CelFailure` where there is none."""
    kind = type(holder)
    if kind is dict:
        if numbers.has_key(key, holder):
            return holder[key]
        raise CelFailure("no such key")
    if kind is Optional:
        return optional_element(holder, key)
    if kind is not list:
        raise _no()
    place = _place(key)
    if 0 <= place < len(holder):
        return holder[place]
    raise CelFailure("a place outside the list")


def _place(key: Any) -> int:
    kind = type(key)
    if kind is int or kind is Uint or (kind is float and key.is_integer()):
        return int(key)
    raise CelFailure("expected a whole number for a place in a list")


def optional_field(holder: Any, name: Any) -> Optional:
    """``holder.?name``."""
    if type(holder) is Optional:
        return optional_field(holder.value, name) if holder.is_present else NONE
    found = texts.typed(holder, dict)
    return Optional(found[name]) if name in found else NONE


def optional_element(holder: Any, key: Any) -> Optional:
    """``holder[?key]``."""
    if type(holder) is Optional:
        return optional_element(holder.value, key) if holder.is_present else NONE
    if type(holder) is list:
        place = _place(key)
        return Optional(holder[place]) if 0 <= place < len(holder) else NONE
    return Optional(holder[key]) if numbers.has_key(key, texts.typed(holder, dict)) else NONE


def make_map(entries: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A map of these entries. Raises `CelFailure` for two equal keys, or for what can't be one."""
    found: dict[Any, Any] = {}
    kinds: set[bool] = set()
    for key, held in entries:
        if type(key) not in (bool, int, Uint, str):
            raise CelFailure("expected a bool, a whole number or a text as key")
        if type(key) is not str:
            kinds.add(type(key) is bool)
        if key in found or len(kinds) > 1:
            raise CelFailure("two equal keys in one map")
        found[key] = held
    return found


def spread(value: Any) -> tuple[Any, ...]:
    """``[?value]``: what an optional holds, or nothing."""
    return (value.value,) if texts.typed(value, Optional).is_present else ()


def spread_entry(key: Any, value: Any) -> tuple[tuple[Any, Any], ...]:
    """``{?key: value}``: the entry, or nothing."""
    return ((key, value.value),) if texts.typed(value, Optional).is_present else ()


# optional values


def optional_value(value: Any) -> Any:
    if texts.typed(value, Optional).is_present:
        return value.value
    raise CelFailure("the value of an absent optional")


def or_value(value: Any, other: Callable[[], Any]) -> Any:
    """``orValue``; the other is asked for only where it is needed."""
    return value.value if texts.typed(value, Optional).is_present else other()


def or_optional(value: Any, other: Callable[[], Any]) -> Any:
    return value if texts.typed(value, Optional).is_present else texts.typed(other(), Optional)


def has_value(value: Any) -> bool:
    return bool(texts.typed(value, Optional).is_present)


def of_non_zero(value: Any) -> Optional:
    zero = value is None or (type(value) in (bool, int, Uint, float, str, bytes, list, dict) and not value)
    return NONE if zero or (type(value) is Duration and value.ns == 0) else Optional(value)


# logic that absorbs errors: what the fast form comes to when one of its operands fails


def both(left: Callable[[], Any], right: Callable[[], Any]) -> bool:
    """``&&``: false as soon as one side is, whatever becomes of the other."""
    return _absorb(left, right, absorbing=False)


def either(left: Callable[[], Any], right: Callable[[], Any]) -> bool:
    """``||``: true as soon as one side is, whatever becomes of the other."""
    return _absorb(left, right, absorbing=True)


def _absorb(left: Callable[[], Any], right: Callable[[], Any], *, absorbing: bool) -> bool:
    try:
        is_decided = bool_(left()) is absorbing
    except FAILURES:
        if right() is not absorbing:
            raise
        is_decided = True
    return absorbing if is_decided else bool_(right())


def every(over: Iterable[Any], test: Callable[[Any], Any]) -> bool:
    """``all``."""
    return _any(over, test, absorbing=False)


def some(over: Iterable[Any], test: Callable[[Any], Any]) -> bool:
    """``exists``."""
    return _any(over, test, absorbing=True)


def _any(over: Iterable[Any], test: Callable[[Any], Any], *, absorbing: bool) -> bool:
    failed: BaseException | None = None
    for value in over:
        try:
            if bool_(test(value)) is absorbing:
                return absorbing
        except FAILURES as failure:
            failed = failed or failure
    if failed:
        raise failed
    return not absorbing


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": conversions.to_int,
    "uint": conversions.to_uint,
    "double": conversions.to_double,
    "string": conversions.to_string,
    "bytes": conversions.to_bytes,
    "bool": conversions.to_bool,
    "timestamp": conversions.to_timestamp,
    "duration": conversions.to_duration,
    "type": conversions.type_of,
    "size": texts.size,
    "contains": texts.contains,
    "startsWith": texts.starts_with,
    "endsWith": texts.ends_with,
    "matches": texts.matches,
    "charAt": texts.char_at,
    "indexOf": texts.index_of,
    "lastIndexOf": texts.last_index_of,
    "substring": texts.substring,
    "replace": texts.replace,
    "split": texts.split,
    "join": texts.join,
    "lowerAscii": texts.lower,
    "upperAscii": texts.upper,
    "trim": texts.trim,
    "reverse": texts.reverse,
    "_==_": numbers.equal,
    "_!=_": numbers.unequal,
    "_<_": numbers.less,
    "_<=_": numbers.less_equal,
    "_>_": numbers.greater,
    "_>=_": numbers.greater_equal,
    "_+_": numbers.add,
    "_-_": numbers.subtract,
    "_*_": numbers.multiply,
    "_/_": numbers.divide,
    "_%_": numbers.modulo,
    "-_": numbers.negate,
    "@in": numbers.contains,
    "_[_]": element,
    "_?._": optional_field,
    "_[?_]": optional_element,
    "value": optional_value,
    "hasValue": has_value,
    "optional.of": Optional,
    "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": of_non_zero,
    **times.PARTS,
}
"""A function of Python for each of CEL, over values of any type; a type that does not fit is a failure."""
