"""What an expression may cost: seen at load where the text shows it, counted at run time where it does not."""

from typing import Any

from abuse_service.cel.values import CelFailure, TooCostly
from abuse_service.cel.wire import Call, Const, Fold, Ident, MakeList, MakeMap, Node, Select

MOST_CHARACTERS = 8192
MOST_NODES = 2000
MOST_DEPTH = 64
MOST_OPTIONAL_MACROS = 4
"""``optMap`` and ``optFlatMap`` write their target twice, so a chain of them doubles with each."""

MOST_STEPS = 200_000
"""Nodes that one evaluation may visit inside comprehensions, a few milliseconds."""

MOST_TEXT = 65_536
"""Characters that an expression may put together into one text, and bytes into one string of them."""

MOST_ELEMENTS = 10_000
"""Elements that an expression may put together into one list."""

MOST_REGEX = 1000
"""Characters of a pattern for ``matches``."""

MOST_REGEX_PROGRAM = 10_000
"""Instructions that RE2 may make of it."""

_PATTERN_STEPS = 500

USUAL_SIZE = 100
"""Elements that a list is taken to have at load when the text does not show it."""


class Meter:
    """Counts the steps of one evaluation."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def walk(self, over: Any, weight: int) -> Any:
        """The elements of a list, or the keys of a map, paid for in advance. Raises `TooCostly`."""
        if type(over) is not list and type(over) is not dict:
            raise CelFailure("expected a list or a map to go through")
        self.spend(len(over) * weight)
        return over

    def spend(self, steps: int) -> None:
        """Pay for so many steps. Raises `TooCostly`."""
        self._left -= steps
        if self._left < 0:
            raise TooCostly

    def pattern(self, text: Any) -> Any:
        """The pattern itself, paid for as one that must be compiled."""
        self.spend(_PATTERN_STEPS)
        return self.weigh(text)

    def weigh(self, value: Any) -> Any:
        """The value itself; a long text or list is paid for by its length, since it is read inside a loop."""
        kind = type(value)
        if kind is str or kind is bytes:
            self.spend(len(value) >> 5)
        elif kind is list:
            self.spend(len(value))
        return value


def children(node: Node) -> list[Node]:
    """The nodes right below a node, in the order of evaluation."""
    if isinstance(node, Select):
        return [node.operand]
    if isinstance(node, Call):
        return [*([node.target] if node.target else []), *node.args]
    if isinstance(node, MakeList):
        return list(node.elements)
    if isinstance(node, MakeMap):
        return [part for key, value, _ in node.entries for part in (key, value) if part]
    if isinstance(node, Fold):
        return [node.over, node.start, node.goes_on, node.step, node.result]
    return []


def names_below(node: Node) -> set[str]:
    """Every name at or below a node, those of comprehensions' own variables too."""
    if isinstance(node, Ident):
        return {node.name.lstrip(".")}
    return {name for child in children(node) for name in names_below(child)}


def count(node: Node) -> tuple[int, int]:
    """How many nodes a tree has, and how deep it is."""
    below = [count(child) for child in children(node)]
    return 1 + sum(number for number, _ in below), 1 + max((depth for _, depth in below), default=0)


def weight(node: Node) -> int:
    """Steps that a node costs each time, comprehensions in it left out: those pay for themselves."""
    if isinstance(node, Fold):
        return 1 + weight(node.over)
    return 1 + sum(weight(child) for child in children(node))


def estimate(node: Node, sizes: dict[str, int]) -> int:
    """Steps that a tree takes if each list of unseen size has `USUAL_SIZE` elements. ``sizes`` are constant lists'."""
    if isinstance(node, Fold):
        inner = estimate(node.step, sizes) + estimate(node.result, sizes)
        return estimate(node.over, sizes) + estimate(node.start, sizes) + size(node.over, sizes) * inner
    return 1 + sum(estimate(child, sizes) for child in children(node))


def size(node: Node, sizes: dict[str, int]) -> int:
    """Elements that a list has, as far as the text shows it."""
    if isinstance(node, MakeList):
        return len(node.elements)
    if isinstance(node, MakeMap):
        return len(node.entries)
    if isinstance(node, Ident):
        return sizes.get(node.name, USUAL_SIZE)
    if isinstance(node, Fold) and isinstance(node.start, MakeList):
        return size(node.over, sizes)
    if isinstance(node, Call) and node.function == "_+_":
        return sum(size(part, sizes) for part in node.args)
    if isinstance(node, Call) and node.function == "_?_:_":
        return max(size(part, sizes) for part in node.args[1:])
    return USUAL_SIZE


def span(node: Node, types: dict[int, str]) -> tuple[int, int]:
    """The smallest and the largest that an int can be, as far as the text shows it: what fits needs no check."""
    if isinstance(node, Const) and isinstance(node.value, int) and not node.is_uint:
        return node.value, node.value
    if isinstance(node, Call):
        if node.function == "size":
            return 0, 2**40
        parts = node.args
        if node.function == "_?_:_" and types.get(node.id) == "int":
            (low, high), (other_low, other_high) = span(parts[1], types), span(parts[2], types)
            return min(low, other_low), max(high, other_high)
        if node.function in ("_+_", "_-_") and types.get(node.id) == "int":
            (low, high), (other_low, other_high) = span(parts[0], types), span(parts[1], types)
            return (
                (low + other_low, high + other_high) if node.function == "_+_" else (low - other_high, high - other_low)
            )
    return -(2**63), 2**63 - 1


def short(value: Any) -> Any:
    """A text or list that was put together, if it is not too long. Raises `CelFailure`."""
    if len(value) > (MOST_ELEMENTS if type(value) is list else MOST_TEXT):
        raise CelFailure("a text or list too long to put together")
    return value
