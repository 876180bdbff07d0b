"""What an expression does with its names, as its tree tells: the text may say a name where it means none."""

from collections.abc import Iterator

import msgspec

from abuse_service.cel.limits import children
from abuse_service.cel.wire import Call, Const, Fold, Ident, Node, Select

Number = int | float

_TURNED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_", "_==_": "_==_", "_!=_": "_!=_"}
_BY_KEY = frozenset({"_[_]", "_[?_]", "_?._"})
_CONVERSIONS = frozenset({"int", "double", "dyn"})
# A literal under `int` may be cut off.
_EXACT_CONVERSIONS = frozenset({"double", "dyn"})


class FieldUse(msgspec.Struct, frozen=True):
    """A field that is read of a map; ``field`` is ``None`` where it may be any of them. ``at`` is the map's name."""

    field: str | None
    at: Ident


class Comparison(msgspec.Struct, frozen=True):
    """A name held against a number, the name to the left: ``operator`` is one of ``< <= > >= == !=``."""

    name: str
    operator: str
    number: Number
    at: Ident


def branches(node: Node, hidden: frozenset[str]) -> list[tuple[Node, frozenset[str]]]:
    """The nodes right below a node, each with the names that comprehensions hide there by variables of their own."""
    if isinstance(node, Fold):
        inner = hidden | {node.variable, node.total}
        return [(node.over, hidden), (node.start, hidden), (node.step, inner), (node.result, inner)]
    return [(child, hidden) for child in children(node)]


def names_read(node: Node, hidden: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names below a node that are no variable of a comprehension's own."""
    if isinstance(node, Ident) and node.name not in hidden:
        yield node.name.lstrip(".")
    for child, below in branches(node, hidden):
        yield from names_read(child, below)


def fields_read(node: Node, holder: str, hidden: frozenset[str] = frozenset()) -> Iterator[FieldUse]:
    """What is read of the map called ``holder``, however it is written: ``a.b``, ``a["b"]``, ``has``, ``in``."""
    found = _field(node)
    if found is not None:
        field, whose = found
        if isinstance(whose, Ident) and _is_free(whose, holder, hidden):
            yield FieldUse(field, whose)
            return
    if isinstance(node, Ident) and _is_free(node, holder, hidden):
        yield FieldUse(None, node)
    for child, below in branches(node, hidden):
        yield from fields_read(child, holder, below)


def comparisons(node: Node, constants: dict[str, Number], hidden: frozenset[str] = frozenset()) -> Iterator[Comparison]:
    """Where a name, or a conversion of it, is held against a literal or one of ``constants``; no arithmetic is seen."""
    if isinstance(node, Call) and node.function in _TURNED and len(node.args) == 2:
        left, right = node.args
        for held, other, operator in ((left, right, node.function), (right, left, _TURNED[node.function])):
            name, number = _bare(held), _number(other, constants, hidden)
            if isinstance(name, Ident) and name.name not in hidden and number is not None:
                yield Comparison(name.name.lstrip("."), operator.strip("_"), number, name)
    for child, below in branches(node, hidden):
        yield from comparisons(child, constants, below)


def _is_free(node: Ident, name: str, hidden: frozenset[str]) -> bool:
    return node.name not in hidden and node.name.lstrip(".") == name


def _field(node: Node) -> tuple[str, Node] | None:
    """The field that a node reads, and of what; ``None`` where it reads none by its name."""
    if isinstance(node, Select):
        return node.field, node.operand
    if isinstance(node, Call) and len(node.args) == 2:
        first, second = node.args
        holder, key = (second, first) if node.function == "@in" else (first, second)
        is_key = isinstance(key, Const) and isinstance(key.value, str)
        if is_key and isinstance(key, Const) and (node.function in _BY_KEY or node.function == "@in"):
            return key.value, holder
    return None


def _bare(node: Node, conversions: frozenset[str] = _CONVERSIONS) -> Node:
    """What a conversion of a number is made from."""
    while isinstance(node, Call) and node.function in conversions and len(node.args) == 1:
        node = node.args[0]
    return node


def _number(node: Node, constants: dict[str, Number], hidden: frozenset[str]) -> Number | None:
    node = _bare(node, _EXACT_CONVERSIONS)
    if isinstance(node, Const):
        is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return node.value if is_number else None
    if isinstance(node, Ident) and node.name not in hidden:
        return constants.get(node.name.lstrip("."))
    return None
