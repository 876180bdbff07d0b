"""CEL, the language of conditions, by Google's C++ engine (ADR 0004)."""

import enum
from typing import Any

from cel_expr_python import cel

from abuse_service.errors import PolicyError


class Kind(enum.Enum):
    """Types that a declared name may have."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    STRING = "string"
    MAP = "map"
    STRINGS = "list(string)"


_TYPES = {
    Kind.BOOL: cel.Type.BOOL,
    Kind.INT: cel.Type.INT,
    Kind.DOUBLE: cel.Type.DOUBLE,
    Kind.STRING: cel.Type.STRING,
    Kind.MAP: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    Kind.STRINGS: cel.Type.List(cel.Type.STRING),
}


class Vocabulary:
    """The names that expressions may use, each with its type."""

    def __init__(self, names: dict[str, Kind]) -> None:
        self.names = dict(names)
        self._environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in names.items()})

    def compile(self, text: str, path: str, *, condition: bool = True) -> "Expression":
        """The checked expression. Raises `PolicyError` that shows the spot; a condition must be a bool."""
        compiled = self._compile(text, path)
        found = compiled.return_type().name()
        if condition and found not in ("BOOL", "DYN"):
            raise PolicyError(f"expected a condition (bool), found {found.lower()}", path=path)
        return Expression(text, compiled)

    def compile_together(self, texts: list[str], path: str) -> "Expression":
        """One expression that reads as the list of all of them: a call into the engine costs more than a condition."""
        return Expression("", self._compile(f"[{', '.join(f'({text})' for text in texts)}]", path))

    def _compile(self, text: str, path: str) -> Any:
        try:
            return self._environment.compile(text)
        except (RuntimeError, ValueError) as error:
            raise PolicyError(_first_lines(str(error)), path=path) from None

    def values(self, values: dict[str, Any]) -> Any:
        """Values bound once, to be read by many expressions. A name without a value is unknown to them."""
        return self._environment.Activation(values)


class Expression:
    """A compiled expression."""

    def __init__(self, text: str, compiled: Any) -> None:
        self.text = text
        self._compiled = compiled

    def read(self, values: Any) -> Any:
        """What the expression is under these values; ``None`` where it reads a value that is unknown or fails."""
        try:
            return self._compiled.eval(values).plain_value()
        except (RuntimeError, ValueError, TypeError, OverflowError):
            return None

    def holds(self, values: Any) -> bool | None:
        """Whether the condition holds; ``None`` where it can't be told."""
        found = self.read(values)
        return found if isinstance(found, bool) else None


def _first_lines(message: str) -> str:
    return message.removeprefix("INVALID_ARGUMENT: ERROR: ").removesuffix(" [INVALID_ARGUMENT]")
