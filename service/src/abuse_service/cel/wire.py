"""A checked expression as the parser hands it over: `cel.expr.CheckedExpr` in protobuf's wire format, read into nodes.

The numbers are those of `cel/expr/checked.proto` and `syntax.proto`, which are frozen; unknown fields are passed over.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {1: "any", 2: "timestamp", 3: "duration"}


class Node(msgspec.Struct, frozen=True):
    """One node of the tree; ``id`` leads to its spot, its type and what it refers to."""

    id: int


class Const(Node, frozen=True):
    """A literal."""

    value: Any
    is_uint: bool = False


class Ident(Node, frozen=True):
    """A name."""

    name: str


class Select(Node, frozen=True):
    """``operand.field``; ``test_only`` is ``has(operand.field)``."""

    operand: Node
    field: str
    test_only: bool


class Call(Node, frozen=True):
    """A function or operator; ``target`` is what a method is called on."""

    function: str
    target: Node | None
    args: tuple[Node, ...]


class MakeList(Node, frozen=True):
    """A list literal; ``optional`` are the places of ``[?element]``."""

    elements: tuple[Node, ...]
    optional: frozenset[int]


class MakeMap(Node, frozen=True):
    """A map literal of (key, value, is optional), or a message when it has a name."""

    message: str
    entries: tuple[tuple[Node | None, Node, bool], ...]


class Fold(Node, frozen=True):
    """A comprehension: what the macros ``all exists exists_one filter map`` expand to."""

    variable: str
    over: Node
    total: str
    start: Node
    goes_on: Node
    step: Node
    result: Node


class Reference(msgspec.Struct, frozen=True):
    """What a name or call refers to: a declared name, or the overloads that the checker left."""

    name: str = ""
    overloads: tuple[str, ...] = ()


class Checked(msgspec.Struct, frozen=True):
    """The tree with what the checker found: references and types by node, and where each node stands in the text."""

    root: Node
    references: dict[int, Reference]
    types: dict[int, str]
    positions: dict[int, int]


def read_checked(serialized: bytes) -> Checked:
    """The tree of a serialized expression, which stands in a `google.protobuf.Any`."""
    fields = _group(_one(_group(memoryview(serialized)), 2))
    source = _group(_one(fields, 5, memoryview(b"")))
    return Checked(
        root=_node(_one(fields, 4)),
        references={key: _reference(value) for key, value in _entries(fields.get(2, []))},
        types={key: _type(value) for key, value in _entries(fields.get(3, []))},
        positions=dict(_entries(source.get(4, []))),
    )


def _node(data: memoryview) -> Node:
    fields = _group(data)
    number = _signed(_one(fields, 2, 0))
    for tag, read in _NODES.items():
        if tag in fields:
            return read(number, _group(_one(fields, tag)))
    raise ValueError("an expression of an unknown kind")


def _const(number: int, fields: dict[int, list[Any]]) -> Node:
    readers: dict[int, Callable[[Any], Any]] = {
        1: lambda _: None,
        2: bool,
        3: _signed,
        4: int,
        5: lambda raw: struct.unpack("<d", raw)[0],
        6: _text,
        7: bytes,
    }
    for tag, read in readers.items():
        if tag in fields:
            return Const(number, read(_one(fields, tag)), tag == 4)
    raise ValueError("a literal of an unknown kind")


def _select(number: int, fields: dict[int, list[Any]]) -> Node:
    return Select(number, _node(_one(fields, 1)), _text(_one(fields, 2)), bool(_one(fields, 3, 0)))


def _call(number: int, fields: dict[int, list[Any]]) -> Node:
    target = _node(_one(fields, 1)) if 1 in fields else None
    return Call(number, _text(_one(fields, 2)), target, tuple(map(_node, fields.get(3, []))))


def _list(number: int, fields: dict[int, list[Any]]) -> Node:
    optional: set[int] = set()
    for raw in fields.get(2, []):
        optional.update([raw] if isinstance(raw, int) else _packed(raw))
    return MakeList(number, tuple(map(_node, fields.get(1, []))), frozenset(optional))


def _map(number: int, fields: dict[int, list[Any]]) -> Node:
    entries = []
    for entry in map(_group, fields.get(2, [])):
        key = _node(_one(entry, 3)) if 3 in entry else None
        entries.append((key, _node(_one(entry, 4)), bool(_one(entry, 5, 0))))
    return MakeMap(number, _text(_one(fields, 1, memoryview(b""))), tuple(entries))


def _fold(number: int, fields: dict[int, list[Any]]) -> Node:
    over, start, goes_on, step, result = (_node(_one(fields, tag)) for tag in (2, 4, 5, 6, 7))
    return Fold(number, _text(_one(fields, 1)), over, _text(_one(fields, 3)), start, goes_on, step, result)


_NODES = {
    3: _const,
    4: lambda number, fields: Ident(number, _text(_one(fields, 1))),
    5: _select,
    6: _call,
    7: _list,
    8: _map,
    9: _fold,
}


def _reference(data: memoryview) -> Reference:
    fields = _group(data)
    return Reference(_text(_one(fields, 1, memoryview(b""))), tuple(map(_text, fields.get(3, []))))


def _type(data: memoryview) -> str:
    """A type as people write it, such as ``list(string)``; what this engine has no name for is ``dyn``."""
    fields = _group(data)
    if 2 in fields:
        return "null"
    if 3 in fields:
        return _PRIMITIVES.get(_one(fields, 3), "dyn")
    if 5 in fields:
        return _WELL_KNOWN.get(_one(fields, 5), "dyn")
    if 6 in fields:
        return f"list({_type(_one(_group(_one(fields, 6)), 1, memoryview(b'')))})"
    if 7 in fields:
        parts = _group(_one(fields, 7))
        return f"map({_type(_one(parts, 1, memoryview(b'')))}, {_type(_one(parts, 2, memoryview(b'')))})"
    if 14 in fields:
        parts = _group(_one(fields, 14))
        return f"{_text(_one(parts, 1, memoryview(b'')))}({', '.join(map(_type, parts.get(2, [])))})"
    return "type" if 11 in fields else "dyn"


def _entries(entries: list[memoryview]) -> Iterator[tuple[int, Any]]:
    """The pairs of a map field whose keys are node ids."""
    for entry in map(_group, entries):
        yield _signed(_one(entry, 1, 0)), _one(entry, 2, 0)


def _group(data: memoryview) -> dict[int, list[Any]]:
    """The values of a message by field number, in order: numbers for varints, bytes for everything else."""
    fields: dict[int, list[Any]] = {}
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        value: Any
        if kind == _VARINT:
            value, at = _varint(data, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
            if kind == _BYTES:
                length, at = _varint(data, at)
            if length is None or at + length > end:
                raise ValueError("cut off")
            value, at = data[at : at + length], at + length
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _packed(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _one(fields: dict[int, list[Any]], number: int, default: Any = None) -> Any:
    if number in fields:
        return fields[number][-1]
    if default is None:
        raise ValueError(f"field {number} is missing")
    return default


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _text(data: memoryview) -> str:
    return bytes(data).decode()
