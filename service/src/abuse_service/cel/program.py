"""Expressions made one function of Python: each name is fetched once, and one that fails leaves the others alone."""

import datetime as dt
import enum
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from abuse_service.cel.emit import Emitter
from abuse_service.cel.limits import Meter
from abuse_service.cel.numbers import bool_
from abuse_service.cel.slots import Slots
from abuse_service.cel.values import (
    FAILURES,
    CelFailure,
    Duration,
    Timestamp,
    TooCostly,
    Unknown,
    error_of,
    instant,
    length,
)
from abuse_service.cel.wire import Checked


class Kind(enum.Enum):
    """Types that a declared name may have."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    MAP = "map"
    STRINGS = "list(string)"
    LIST = "list"
    TIMESTAMP = "timestamp"
    DURATION = "duration"
    DYN = "dyn"


TYPES: dict[Kind, type] = {
    Kind.BOOL: bool,
    Kind.INT: int,
    Kind.DOUBLE: float,
    Kind.STRING: str,
    Kind.MAP: dict,
    Kind.LIST: list,
}
"""Where a value's type says that it fits; every other kind is looked at."""

_ABSENT = object()
_CAUGHT = (*FAILURES, TooCostly)


class Part:
    """One checked expression on its way into a program."""

    def __init__(self, checked: Checked, constants: Mapping[str, Any], *, is_condition: bool) -> None:
        self.checked = checked
        self.constants = constants
        self.is_condition = is_condition

    def emit(
        self,
        kinds: Mapping[str, Kind],
        slots: Slots,
        *,
        absorbing: bool,
        guard: bool = False,
        costs: Mapping[str, int] | None = None,
    ) -> tuple[str, bool]:
        """Its code, and whether that needs a meter. Raises `NotOffered`."""
        emitter = Emitter(self.checked, kinds, self.constants, slots, absorbing=absorbing, costs=costs)
        root = self.checked.root
        code = emitter.emit(root, guard=absorbing or guard)
        if self.is_condition and self.checked.types.get(root.id) != "bool":
            code = f"{slots.object(bool_)}({code})"
        return code, emitter.has_loops


class Program:
    """Compiled expressions; call `run`."""

    def __init__(self, parts: Sequence[Part], kinds: Mapping[str, Kind]) -> None:
        """Raises `NotOffered`, and `SyntaxError` or `RecursionError` where Python gives up."""
        self._slots = Slots()
        self._kinds = kinds
        fast = [part.emit(kinds, self._slots, absorbing=False) for part in parts]
        self._absorbing = [self._absorbing_form(part) for part in parts]
        self._names = tuple(self._slots.names)
        self._expected = tuple(TYPES.get(kinds[name]) for name in self._names)
        self.run: Callable[[Mapping[str, Any]], list[Any]] = self._compile(fast)

    def _absorbing_form(self, part: Part) -> Callable[[Sequence[Any]], Any]:
        code, _ = part.emit(self._kinds, self._slots, absorbing=True)
        fetched = "".join(f"    v{place} = values[{place}]\n" for place in self._slots.names.values())
        source = f"def absorbing(values):\n{fetched}    m = {self._slots.object(Meter)}()\n    return {code}\n"
        absorbing: Callable[[Sequence[Any]], Any] = self._slots.define(source, "absorbing")
        return absorbing

    def _compile(self, fast: list[tuple[str, bool]]) -> Callable[[Mapping[str, Any]], list[Any]]:
        put = self._slots.object
        lines = ["def run(given):"]
        if self._names:
            lines += [
                "    try:",
                f"        values = {put(self._fetcher())}(given)",
                f"        if {put(tuple)}({put(map)}({put(type)}, values)) != {put(self._expected)}:",
                f"            values = {put(self._mend)}(given)",
                f"    except {put(KeyError)}:",
                f"        values = {put(self._mend)}(given)",
                f"    {', '.join(f'v{place}' for place in range(len(self._names)))}, = values",
            ]
        else:
            lines.append("    values = ()")
        for number, (code, has_loops) in enumerate(fast):
            if has_loops:
                lines.append(f"    m = {put(Meter)}()")
            lines += [
                f"    try: r{number} = {code}",
                f"    except {put(_CAUGHT)} as failure: r{number} = {put(self._fail)}({number}, values, failure)",
            ]
        results = f"[{', '.join(f'r{number}' for number in range(len(fast)))}]"
        lines.append(f"    if {put(type)}(values) is {put(list)}: return {put(_settle)}({results})")
        lines.append(f"    return {results}\n")
        run: Callable[[Mapping[str, Any]], list[Any]] = self._slots.define("\n".join(lines), "run")
        return run

    def _fetcher(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        if len(self._names) == 1:
            only = self._names[0]
            return lambda given: (given[only],)
        return operator.itemgetter(*self._names)

    def _mend(self, given: Mapping[str, Any]) -> list[Any]:
        """The values where some are absent or not of their kind; those fail once something touches them."""
        return [fit(name, self._kinds[name], given.get(name, _ABSENT)) for name in self._names]

    def _fail(self, number: int, values: Sequence[Any], failure: Exception) -> Any:
        return _absorb(self._absorbing[number], values, failure)


class LazyProgram:
    """Compiled expressions that ask for each value when they need it, for what costs least first; call `run`.

    `run` takes a mapping that gives, for each name, a value as `fit` returns it; whether a name is asked for depends on
    the values before it. What comes out is the same as from `Program`.
    """

    def __init__(self, parts: Sequence[Part], kinds: Mapping[str, Kind], costs: Mapping[str, int]) -> None:
        """Raises as `Program` does. A name without a cost costs nothing."""
        self._slots = Slots(is_lazy=True)
        put = self._slots.object
        self._absorbing = [self._absorbing_form(part, kinds) for part in parts]
        lines = ["def run(values):"]
        for number, part in enumerate(parts):
            code, has_loops = part.emit(kinds, self._slots, absorbing=False, guard=True, costs=costs)
            if has_loops:
                lines.append(f"    m = {put(Meter)}()")
            lines += [
                f"    try: r{number} = {code}",
                f"    except {put(_CAUGHT)} as failure: r{number} = {put(self._fail)}({number}, values, failure)",
            ]
        lines.append(f"    return [{', '.join(f'r{number}' for number in range(len(parts)))}]\n")
        self.run: Callable[[Mapping[str, Any]], list[Any]] = self._slots.define("\n".join(lines), "run")

    def _absorbing_form(self, part: Part, kinds: Mapping[str, Kind]) -> Callable[[Mapping[str, Any]], Any]:
        code, _ = part.emit(kinds, self._slots, absorbing=True)
        source = f"def absorbing(values):\n    m = {self._slots.object(Meter)}()\n    return {code}\n"
        absorbing: Callable[[Mapping[str, Any]], Any] = self._slots.define(source, "absorbing")
        return absorbing

    def _fail(self, number: int, values: Mapping[str, Any], failure: Exception) -> Any:
        return _absorb(self._absorbing[number], values, failure)


def _absorb(absorbing: Callable[[Any], Any], values: Any, failure: Exception) -> Any:
    if isinstance(failure, TooCostly):
        return error_of(failure)
    try:
        return absorbing(values)
    except _CAUGHT as found:
        return error_of(found)


def fit(name: str, kind: Kind, value: Any) -> Any:
    """The value as expressions take it; an `Unknown`, which fails once touched, where it is ``None`` or of no use."""
    if value is _ABSENT or (value is None and kind is not Kind.DYN):
        return Unknown(name, f"{name} is unknown")
    if kind is Kind.DYN or type(value) is TYPES.get(kind):
        return value
    try:
        if kind is Kind.DOUBLE and type(value) is int:
            return float(value)
        if kind is Kind.TIMESTAMP and isinstance(value, dt.datetime):
            return instant(value)
        if kind is Kind.DURATION and isinstance(value, dt.timedelta):
            return length(value)
    except (CelFailure, OverflowError):
        return Unknown(name, f"{name} is out of range")
    if type(value) in (Timestamp, Duration) and type(value).__name__.lower() == kind.value:
        return value
    if kind is Kind.STRINGS and type(value) is list and all(type(element) is str for element in value):
        return value
    return Unknown(name, f"{name} is {kind.value}, found {type(value).__name__}")


def _settle(results: list[Any]) -> list[Any]:
    return [error_of(_failure(result)) if type(result) is Unknown else result for result in results]


def _failure(unknown: Unknown) -> CelFailure:
    try:
        unknown.fail()
    except CelFailure as failure:
        return failure
