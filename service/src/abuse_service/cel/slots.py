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

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.objects: dict[str, Any] = {"__builtins__": {}}
        self._known: dict[int, str] = {}

    def variable(self, name: str) -> str:
        """The local that holds the name's value."""
        return f"v{self.names.setdefault(name, len(self.names))}"

    def object(self, value: Any) -> str:
        """A global that holds the object."""
        name = self._known.setdefault(id(value), f"k{len(self._known)}")
        self.objects[name] = value
        return name
