"""What the code of one program refers to, and what no code is written for."""

from typing import Any

from abuse_service.cel.wire import Node


class NotOffered(Exception):
    """an expression uses a part of CEL that this engine does not offer"""

    def __init__(self, message: str, node: Node) -> None:
        super().__init__(message)
        self.node = node


class Slots:
    """What the code of one program refers to: the names that it reads, in order, and objects."""

    def __init__(self, *, is_lazy: bool = False) -> None:
        """Lazy code asks a mapping named ``values`` each time, other code has a local for each name."""
        self._is_lazy = is_lazy
        self.names: dict[str, int] = {}
        self.objects: dict[str, Any] = {"__builtins__": {}}
        self._known: dict[int, str] = {}

    def variable(self, name: str) -> str:
        """Code for the name's value."""
        place = self.names.setdefault(name, len(self.names))
        return f"values[{name!r}]" if self._is_lazy else f"v{place}"

    def object(self, value: Any) -> str:
        """A global that holds the object."""
        name = self._known.setdefault(id(value), f"k{len(self._known)}")
        self.objects[name] = value
        return name

    def define(self, source: str, name: str) -> Any:
        """The function of that name that the source defines. Raises `SyntaxError` or `RecursionError`."""
        found: dict[str, Any] = {}
        exec(compile(source, "<cel>", "exec"), self.objects, found)
        return found[name]
