"""What CEL calculates with, where Python has no such type, and what stands for a value that can't be told."""

import datetime as dt
from typing import Any, NoReturn

import msgspec

SMALLEST_INT, LARGEST_INT, LARGEST_UINT = -(2**63), 2**63 - 1, 2**64 - 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
EARLIEST_NS = -62_135_596_800 * 10**9
LATEST_NS = 253_402_300_800 * 10**9 - 1
LONGEST_NS = 315_576_000_000 * 10**9 + 999_999_999


class CelFailure(Exception):
    """an expression can't be told under these values"""


class TooCostly(Exception):
    """an evaluation took more steps than it may"""


FAILURES = (CelFailure, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What generated code raises where CEL has an error. ``||`` and ``&&`` absorb these, and never `TooCostly`."""


class CelError(msgspec.Struct, frozen=True):
    """Why an expression has no value: a sentence without values, and the names that were unknown to it."""

    message: str
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message


class Uint(int):
    """An unsigned integer; CEL never mixes it with a signed one in a calculation."""

    __slots__ = ()


class Timestamp(msgspec.Struct, frozen=True, order=True):
    """An instant, in nanoseconds since 1970."""

    ns: int


class Duration(msgspec.Struct, frozen=True, order=True):
    """A length of time in nanoseconds."""

    ns: int


class TypeName(msgspec.Struct, frozen=True):
    """A type as a value."""

    name: str


class Optional(msgspec.Struct, frozen=True, eq=False):
    """A value that may be absent."""

    value: Any = None
    is_present: bool = True


NONE = Optional(None, is_present=False)


class Unknown:
    """Stands for a name without a usable value: whatever touches it fails and says which name that was."""

    __slots__ = ("_message", "_name")

    def __init__(self, name: str, message: str) -> None:
        self._name = name
        self._message = message

    def fail(self, *_: Any) -> NoReturn:
        """Raise what reading the name comes to."""
        raise CelFailure(self._message, self._name)

    def __getattr__(self, _: str) -> NoReturn:
        self.fail()


_TOUCHES = ["lt", "le", "gt", "ge", "eq", "ne", "add", "radd", "sub", "rsub", "mul", "rmul", "neg", "bool", "hash"]
_TOUCHES += ["len", "iter", "getitem", "contains", "float", "int", "index", "str"]
for _touch in _TOUCHES:
    setattr(Unknown, f"__{_touch}__", Unknown.fail)


def known(value: Any) -> Any:
    """The value itself, where nothing else touches it. Raises `CelFailure` for an unknown one."""
    if type(value) is Unknown:
        value.fail()
    return value


def error_of(failure: BaseException) -> CelError:
    """What a failure is called in an explanation. Python's own words may hold values, and are left out."""
    if isinstance(failure, CelFailure):
        return CelError(str(failure.args[0]), tuple(failure.args[1:]))
    if isinstance(failure, TooCostly):
        return CelError("costs more than an evaluation may")
    if isinstance(failure, KeyError):
        return CelError("no such key")
    if isinstance(failure, RecursionError):
        return CelError("nested too deep")
    return CelError("no function takes values of these types")


def instant(value: dt.datetime) -> Timestamp:
    """A `datetime` as CEL takes it; one without a zone is UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return Timestamp((aware - _EPOCH) // dt.timedelta(microseconds=1) * 1000)


def length(value: dt.timedelta) -> Duration:
    """A `timedelta` as CEL takes it. Raises `CelFailure` past ten thousand years."""
    nanoseconds = value // dt.timedelta(microseconds=1) * 1000
    if abs(nanoseconds) > LONGEST_NS:
        raise CelFailure("a duration out of range")
    return Duration(nanoseconds)


def plain(value: Any, left: int = 100_000) -> Any:
    """A result as Python's own types. Raises `TooCostly` above ``left`` elements, `CelFailure` for what is no CEL."""
    return _Plain(left).of(value)


class _Plain:
    def __init__(self, left: int) -> None:
        self._left = left

    def of(self, value: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise TooCostly
        kind = type(value)
        if kind is list:
            return [self.of(element) for element in value]
        if kind is dict:
            return {self.of(key): self.of(held) for key, held in value.items()}
        if kind is Timestamp:
            return _EPOCH + dt.timedelta(microseconds=value.ns // 1000)
        if kind is Duration:
            return dt.timedelta(microseconds=value.ns // 1000)
        if kind is Uint:
            return int(value)
        if kind is Optional:
            return self.of(value.value) if value.is_present else None
        if kind is TypeName:
            return value.name
        if kind not in _ANSWERS or (kind is int and not SMALLEST_INT <= value <= LARGEST_UINT):
            raise CelFailure("a value that CEL has no type for")
        return value


_ANSWERS = frozenset({bool, int, float, str, bytes, type(None)})
