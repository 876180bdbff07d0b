"""Names with their types, and the expressions that may use them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from abuse_service.cel.limits import (
    MOST_CHARACTERS,
    MOST_DEPTH,
    MOST_NODES,
    MOST_OPTIONAL_MACROS,
    MOST_STEPS,
    count,
    estimate,
)
from abuse_service.cel.mistakes import mistake
from abuse_service.cel.program import Kind, LazyProgram, Part, Program
from abuse_service.cel.slots import NotOffered
from abuse_service.cel.uses import Comparison, FieldUse, Number, comparisons, fields_read, names_read
from abuse_service.cel.values import CelError, CelFailure, TooCostly, error_of, plain
from abuse_service.cel.wire import Checked, Node, read_checked
from abuse_service.errors import ExpressionError

_TYPES = {
    Kind.BOOL: cel.Type.BOOL,
    Kind.INT: cel.Type.INT,
    Kind.DOUBLE: cel.Type.DOUBLE,
    Kind.STRING: cel.Type.STRING,
    Kind.MAP: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    Kind.STRINGS: cel.Type.List(cel.Type.STRING),
    Kind.LIST: cel.Type.List(cel.Type.DYN),
    Kind.TIMESTAMP: cel.Type.TIMESTAMP,
    Kind.DURATION: cel.Type.DURATION,
    Kind.DYN: cel.Type.DYN,
}
_OPTIONAL_MACRO = re.compile(r"\bopt(?:Flat)?Map\b")


def environment(names: Mapping[str, Kind]) -> Any:
    """The reference engine's environment: the language that is offered, and these names."""
    variables = {name: _TYPES[kind] for name, kind in names.items()}
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings(), ext_optional.ExtOptional()])


class Vocabulary:
    """The names that expressions may use, each with its type."""

    def __init__(self, names: Mapping[str, Kind]) -> None:
        self.names = dict(names)
        self._environment = environment(names)

    def compile(
        self, text: str, path: str, *, condition: bool = True, constants: Mapping[str, Any] | None = None
    ) -> "Expression":
        """The checked expression, in which names among ``constants`` have their value for good.

        Raises `ExpressionError` that shows the spot; a condition must be a bool.
        """
        bound = {} if constants is None else constants
        checked = self._check(text, path)
        self._check_cost(text, checked, bound, path)
        found = checked.types.get(checked.root.id, "dyn")
        if condition and found not in ("bool", "dyn"):
            raise ExpressionError(
                f"expected a condition (bool), found {found}", path=path, text=text, found=found, expected="bool"
            )
        part = Part(checked, bound, is_condition=condition)
        try:
            return Expression(text, part, self.names)
        except NotOffered as refused:
            line, column = _place(text, checked, refused.node)
            raise ExpressionError(str(refused), path=path, text=text, line=line, column=column) from None
        except (SyntaxError, RecursionError, MemoryError):
            raise ExpressionError("nested too deep", path=path, text=text) from None

    def together(self, expressions: Sequence["Expression"]) -> Program:
        """One function of all of them: it takes values by name and gives a value or a `CelError` for each."""
        return Program([expression.part for expression in expressions], self.names)

    def lazily(self, expressions: Sequence["Expression"], costs: Mapping[str, int]) -> LazyProgram:
        """The same for values that cost something to read: each is asked for when it is needed, if at all."""
        return LazyProgram([expression.part for expression in expressions], self.names, costs)

    def _check(self, text: str, path: str) -> Checked:
        if len(text) > MOST_CHARACTERS:
            raise ExpressionError(f"{len(text)} characters, at most {MOST_CHARACTERS} are allowed", path=path)
        if len(_OPTIONAL_MACRO.findall(text)) > MOST_OPTIONAL_MACROS:
            raise ExpressionError(f"more than {MOST_OPTIONAL_MACROS} times optMap or optFlatMap", path=path, text=text)
        try:
            return read_checked(self._environment.compile(text).serialize())
        except (RuntimeError, ValueError) as error:
            raise mistake(text, str(error), self.names, path) from None

    def _check_cost(self, text: str, checked: Checked, constants: Mapping[str, Any], path: str) -> None:
        nodes, depth = count(checked.root)
        if nodes > MOST_NODES:
            raise ExpressionError(f"{nodes} parts, at most {MOST_NODES} are allowed", path=path, text=text)
        if depth > MOST_DEPTH:
            raise ExpressionError(f"nested {depth} deep, at most {MOST_DEPTH} are allowed", path=path, text=text)
        sizes = {name: len(value) for name, value in constants.items() if isinstance(value, list)}
        steps = estimate(checked.root, sizes)
        if steps > MOST_STEPS:
            told = f"may take {steps:,} steps, at most {MOST_STEPS:,} are allowed: nest fewer comprehensions"
            raise ExpressionError(told, path=path, text=text)


class Expression:
    """A compiled expression. ``reads`` are the declared names that it uses, constants included."""

    def __init__(self, text: str, part: Part, kinds: Mapping[str, Kind]) -> None:
        self.text = text
        self.part = part
        self.reads = tuple(dict.fromkeys(name for name in names_read(part.checked.root) if name in kinds))
        self._run = Program([part], kinds).run

    def fields(self, holder: str) -> list[FieldUse]:
        """What it reads of the map called ``holder``."""
        return list(fields_read(self.part.checked.root, holder))

    def comparisons(self) -> list[Comparison]:
        """The names that it holds against numbers: literals, and constants that it was compiled with."""
        numbers: dict[str, Number] = {
            name: value for name, value in self.part.constants.items() if isinstance(value, int | float)
        }
        return list(comparisons(self.part.checked.root, numbers))

    def error_at(self, fault: str, node: Node, path: str, *, through: str) -> ExpressionError:
        """A mistake that is shown from a node on, through the text that follows next."""
        line, column = _place(self.text, self.part.checked, node)
        shown = self.text.split("\n")[line - 1]
        end = shown.find(through, column - 1)
        length = end + len(through) - column + 1 if end >= 0 else 1
        return ExpressionError(fault, path=path, text=self.text, line=line, column=column, length=length)

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """What the expression is under these values, or a `CelError` that says why it can't be told."""
        found = self._run(values)[0]
        if isinstance(found, bool | str | CelError):
            return found
        try:
            return plain(found)
        except (TooCostly, CelFailure) as failure:
            return error_of(failure)

    def read(self, values: Mapping[str, Any]) -> Any:
        """What the expression is under these values; ``None`` where it reads a value that is unknown, or fails."""
        found = self.evaluate(values)
        return None if isinstance(found, CelError) else found

    def holds(self, values: Mapping[str, Any]) -> bool | None:
        """Whether the condition holds; ``None`` where it can't be told."""
        found = self._run(values)[0]
        return found if isinstance(found, bool) else None


def _place(text: str, checked: Checked, node: Node) -> tuple[int, int]:
    before = text[: checked.positions.get(node.id, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
