"""Python source for a checked expression. What stands in it of the author's text are literals by `repr`, no names.

Two forms of each expression: the fast one is plain Python, in which an error is an exception; the absorbing one is run
when that fails, and lets ``||``, ``&&``, ``all`` and ``exists`` absorb errors as CEL does. Where no operand fails both
come to the same.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from abuse_service.cel import conversions, functions, numbers, texts
from abuse_service.cel.limits import names_below, short, span, weight
from abuse_service.cel.slots import NotOffered, Slots
from abuse_service.cel.values import LARGEST_INT, NONE, SMALLEST_INT, CelFailure, TypeName, Uint, known
from abuse_service.cel.wire import Call, Checked, Const, Fold, Ident, MakeList, MakeMap, Node, Select

_ORDERED = frozenset({"int", "uint", "double", "string", "bytes", "timestamp", "duration"})
_EXACT = _ORDERED | {"bool", "null", "type"}
_HASHED = frozenset({"int", "uint", "string", "bytes", "bool"})
_COMPARISONS = {"_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_ARITHMETIC = {"_+_": "+", "_-_": "-", "_*_": "*"}
_METERED = frozenset({"_==_", "_!=_", "@in"})
# Functions whose time grows with their operand; inside a loop that is paid for.
_SCANNING = frozenset({"contains", "matches", "indexOf", "lastIndexOf", "replace", "split", "join", "lowerAscii"})
_SCANNING |= {"upperAscii", "trim", "reverse", "substring", "string", "bytes", "_+_"}


class Emitter:
    """Writes one expression in one of the two forms. ``constants`` are bound now, everything else when it runs.

    With ``costs`` of names the operands of ``&&`` and ``||`` that cost least come first. The order changes no result:
    where an operand errs, the absorbing form has the last word.
    """

    def __init__(
        self,
        checked: Checked,
        kinds: Mapping[str, Any],
        constants: Mapping[str, Any],
        slots: Slots,
        *,
        absorbing: bool,
        costs: Mapping[str, int] | None = None,
    ) -> None:
        self._types = checked.types
        self._references = checked.references
        self._kinds = kinds
        self._constants = constants
        self._slots = slots
        self._absorbing = absorbing
        self._costs = costs
        self._locals: dict[str, str] = {}
        self._numbered = 0
        self._loops = 0
        self._is_inline = not absorbing
        self.has_loops = False

    def emit(self, node: Node, *, guard: bool = False) -> str:
        """An expression of Python. With ``guard`` an unknown value fails here, since nothing else would touch it."""
        if isinstance(node, Const):
            return self._const(node)
        if isinstance(node, Ident):
            return self._ident(node, guard=guard)
        if isinstance(node, Select):
            return self._select(node)
        if isinstance(node, Call):
            return self._call(node, guard=guard)
        if isinstance(node, MakeList):
            return self._list(node)
        if isinstance(node, MakeMap):
            return self._map(node)
        assert isinstance(node, Fold)
        return self._fold(node)

    # leaves

    def _const(self, node: Const) -> str:
        value = node.value
        if node.is_uint:
            return self._slots.object(Uint(value))
        return self._literal(value)

    def _literal(self, value: Any) -> str:
        if isinstance(value, float) and not math.isfinite(value):
            return self._slots.object(value)
        return f"({value!r})" if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)

    def _ident(self, node: Ident, *, guard: bool) -> str:
        name = node.name.lstrip(".")
        if node.name in self._locals:
            return self._locals[node.name]
        if name in self._constants:
            value = self._constants[name]
            return self._slots.object(value) if isinstance(value, list) else self._literal(value)
        if name in self._kinds:
            variable = self._slots.variable(name)
            return f"{self._use(known)}({variable})" if guard else variable
        if self._type(node) == "type" and name in conversions.TYPE_NAMES:
            return self._slots.object(TypeName(name))
        raise NotOffered(f"{name} is not offered here", node)

    def _type(self, node: Node) -> str:
        return self._types.get(node.id, "dyn")

    def _exact(self, *nodes: Node) -> str | None:
        """The type of all these nodes, if it is one and known."""
        kinds = {self._type(node) for node in nodes}
        kind = kinds.pop() if kinds else None
        return kind if not kinds and kind in _EXACT else None

    def _use(self, function: Callable[..., Any]) -> str:
        return self._slots.object(function)

    # fields, lists, maps

    def _select(self, node: Select) -> str:
        kind = self._type(node.operand)
        holder, name = self.emit(node.operand, guard=not kind.startswith("map(string")), repr(node.field)
        if kind.startswith("map(string"):
            return f"({name} in {holder})" if node.test_only else f"{holder}[{name}]"
        if node.test_only:
            return f"{self._use(functions.has_field)}({holder}, {name})"
        return f"{self._use(functions.field)}({holder}, {name})"

    def _list(self, node: MakeList) -> str:
        elements = []
        for place, element in enumerate(node.elements):
            code = self.emit(element, guard=True)
            elements.append(f"*{self._use(functions.spread)}({code})" if place in node.optional else code)
        return f"[{', '.join(elements)}]"

    def _map(self, node: MakeMap) -> str:
        if node.message:
            raise NotOffered(f"messages such as {node.message} are not offered here", node)
        entries = []
        for key, value, is_optional in node.entries:
            assert key is not None
            pair = f"{self.emit(key, guard=True)}, {self.emit(value, guard=True)}"
            entries.append(f"*{self._use(functions.spread_entry)}({pair})" if is_optional else f"({pair})")
        return f"{self._use(functions.make_map)}([{', '.join(entries)}])"

    # calls

    def _call(self, node: Call, *, guard: bool) -> str:
        name, operands = node.function, (*([node.target] if node.target else []), *node.args)
        if name in ("_&&_", "_||_"):
            return self._logic(name, operands, guard=guard)
        if name == "_?_:_":
            chosen, other = (self.emit(operand, guard=guard) for operand in operands[1:])
            return f"({chosen} if {self._bool(operands[0])} else {other})"
        if name == "!_":
            return f"(not {self._bool(operands[0])})"
        if name == "dyn":
            return self.emit(operands[0], guard=guard)
        if name in ("orValue", "or"):
            function = functions.or_value if name == "orValue" else functions.or_optional
            with self._nested():
                first = self.emit(operands[0], guard=True)
                return f"{self._use(function)}({first}, lambda: {self.emit(operands[1], guard=True)})"
        return self._special(name, operands) or self._function(node, name, operands)

    def _bool(self, node: Node) -> str:
        is_bool = self._type(node) == "bool"
        code = self.emit(node, guard=not is_bool)
        return code if is_bool else f"{self._use(numbers.bool_)}({code})"

    def _logic(self, name: str, operands: tuple[Node, ...], *, guard: bool) -> str:
        if self._absorbing:
            function = functions.both if name == "_&&_" else functions.either
            with self._nested():
                return f"{self._use(function)}({', '.join(f'lambda: {self.emit(operand)}' for operand in operands)})"
        *before, last = self._cheapest_first(_chain(name, operands))
        tail = self.emit(last, guard=guard) if self._type(last) == "bool" else self._bool(last)
        return f"({(' and ' if name == '_&&_' else ' or ').join([*map(self._bool, before), tail])})"

    def _cheapest_first(self, operands: list[Node]) -> list[Node]:
        costs = self._costs
        if costs is None:
            return operands
        return sorted(operands, key=lambda operand: sum(costs.get(name, 0) for name in names_below(operand)))

    def _special(self, name: str, operands: tuple[Node, ...]) -> str | None:
        """Code for operands whose types are known, where Python has an operator that means the same."""
        kind = self._exact(*operands)
        if name in _COMPARISONS and kind in _ORDERED:
            return f"({self.emit(operands[0])} {_COMPARISONS[name]} {self.emit(operands[1])})"
        if name in ("_==_", "_!=_") and kind is not None:
            return f"({self.emit(operands[0])} {name[1:3]} {self.emit(operands[1])})"
        if name in _ARITHMETIC and kind == "int":
            return self._integer(_ARITHMETIC[name], operands)
        if name in _ARITHMETIC and kind == "double":
            return f"({self.emit(operands[0])} {_ARITHMETIC[name]} {self.emit(operands[1])})"
        if name == "_+_" and kind == "string":
            return self._weighed(f"{self._use(short)}({self.emit(operands[0])} + {self.emit(operands[1])})")
        if name == "-_" and kind == "double":
            return f"(-{self.emit(operands[0])})"
        if name == "contains" and kind == "string":
            return f"({self.emit(operands[1])} in {self._weighed(self.emit(operands[0]))})"
        if name in ("startsWith", "endsWith") and kind == "string":
            return f"{self.emit(operands[0])}.{name.lower()}({self.emit(operands[1])})"
        if name == "size" and kind == "string":
            return f"{self._use(len)}({self.emit(operands[0])})"
        if name == "_[_]" and self._type(operands[0]).startswith("map(string") and self._type(operands[1]) == "string":
            return f"{self.emit(operands[0])}[{self.emit(operands[1])}]"
        if name == "matches":
            return self._matches(operands)
        return self._in(operands) if name == "@in" else None

    def _integer(self, operator: str, operands: tuple[Node, ...]) -> str:
        code = f"{self.emit(operands[0])} {operator} {self.emit(operands[1])}"
        if operator != "*":
            spans = [span(operand, self._types) for operand in operands]
            low = spans[0][0] + spans[1][0] if operator == "+" else spans[0][0] - spans[1][1]
            high = spans[0][1] + spans[1][1] if operator == "+" else spans[0][1] - spans[1][0]
            if low >= SMALLEST_INT and high <= LARGEST_INT:
                return f"({code})"
        if not self._is_inline:
            return f"{self._use(numbers.int64)}({code})"
        self._numbered += 1
        found = f"t{self._numbered}"
        return f"({found} if {SMALLEST_INT} <= ({found} := {code}) <= {LARGEST_INT} else {self._use(numbers.over)}())"

    def _matches(self, operands: tuple[Node, ...]) -> str | None:
        text, regex = operands
        if not isinstance(regex, Const) or not isinstance(regex.value, str):
            return None
        try:
            compiled = texts.pattern(regex.value)
        except CelFailure as failure:
            raise NotOffered(str(failure), regex) from None
        code = self._weighed(self.emit(text, guard=True))
        if self._type(text) != "string":
            return f"{self._use(functions.FUNCTIONS['matches'])}({code}, {regex.value!r})"
        return f"({self._slots.object(compiled.search)}({code}) is not None)"

    def _in(self, operands: tuple[Node, ...]) -> str | None:
        element, holder = operands
        kind, held = self._type(element), self._type(holder)
        if kind not in _HASHED or held not in (f"list({kind})", f"map({kind}, dyn)", f"map({kind}, {kind})"):
            return None
        if held.startswith("map(") and kind != "string":
            return None
        literals = self._literals(holder)
        if literals is not None:
            return f"({self.emit(element)} in {self._slots.object(literals)})"
        if held.startswith("map("):
            return f"({self.emit(element)} in {self.emit(holder)})"
        return f"({self.emit(element, guard=True)} in {self._weighed(self.emit(holder))})"

    def _literals(self, node: Node) -> frozenset[Any] | None:
        if isinstance(node, MakeList) and not node.optional and all(isinstance(each, Const) for each in node.elements):
            return frozenset(each.value for each in node.elements if isinstance(each, Const))
        if isinstance(node, Ident) and node.name not in self._locals:
            value = self._constants.get(node.name.lstrip("."))
            return frozenset(value) if isinstance(value, list) else None
        return None

    def _function(self, node: Call, name: str, operands: tuple[Node, ...]) -> str:
        if name == "optional.none":
            return self._slots.object(NONE)
        function = functions.FUNCTIONS.get(name)
        if function is None:
            raise NotOffered(f"the function {name.removeprefix('@')} is not offered here", node)
        codes = [self.emit(operand, guard=True) for operand in operands]
        if name == "matches" and self._loops:
            codes[1] = f"m.pattern({codes[1]})"
        if name in _SCANNING:
            return self._weighed(f"{self._use(function)}({', '.join(map(self._weighed, codes))})")
        if name in _METERED and self._loops:
            codes.append("m")
        return f"{self._use(function)}({', '.join(codes)})"

    def _weighed(self, code: str) -> str:
        return f"m.weigh({code})" if self._loops else code

    # comprehensions

    def _fold(self, node: Fold) -> str:
        if isinstance(node.goes_on, Const) and node.goes_on.value is False:
            return self._bind(node)
        with self._nested():
            over = self.emit(node.over, guard=True)
        self.has_loops = True
        with self._nested(), self._local(node.variable) as variable:
            self._loops += 1
            code = self._loop(node, variable, f"m.walk({over}, {_weight(node)})")
            self._loops -= 1
        return code

    def _loop(self, node: Fold, variable: str, over: str) -> str:
        start, step = node.start, node.step
        if isinstance(start, Const) and isinstance(start.value, bool) and isinstance(step, Call):
            test = self._bool(step.args[1])
            if self._absorbing:
                absorbing = functions.some if step.function == "_||_" else functions.every
                return f"{self._use(absorbing)}({over}, lambda {variable}: {test})"
            plain = self._use(any) if step.function == "_||_" else self._use(all)
            return f"{plain}({test} for {variable} in {over})"
        test = ""
        if isinstance(step, Call) and step.function == "_?_:_":
            test = f" if {self._bool(step.args[0])}"
            step = step.args[1]
        if isinstance(start, Const) and start.value == 0:
            return f"({self._use(sum)}(1 for {variable} in {over}{test}) == 1)"
        if isinstance(step, Call) and step.function == "_+_" and isinstance(step.args[1], MakeList):
            return f"[{self.emit(step.args[1].elements[0], guard=True)} for {variable} in {over}{test}]"
        raise NotOffered("this comprehension is not offered here", node)

    def _bind(self, node: Fold) -> str:
        with self._nested():
            start = self.emit(node.start, guard=True)
            with self._local(node.total) as variable:
                return f"(lambda {variable}: {self.emit(node.result, guard=True)})({start})"

    @contextlib.contextmanager
    def _nested(self) -> Iterator[None]:
        """Inside a lambda or a comprehension, where Python allows no assignment within an expression."""
        before, self._is_inline = self._is_inline, False
        try:
            yield
        finally:
            self._is_inline = before

    @contextlib.contextmanager
    def _local(self, name: str) -> Iterator[str]:
        """A variable of the expression's own, which hides a declared name while it lives."""
        self._numbered += 1
        before = self._locals
        self._locals = {**before, name: f"x{self._numbered}"}
        try:
            yield self._locals[name]
        finally:
            self._locals = before


def _chain(name: str, operands: tuple[Node, ...]) -> list[Node]:
    """The operands of a chain such as ``a && (b && c)``, in their order."""
    found: list[Node] = []
    for operand in operands:
        is_same = isinstance(operand, Call) and operand.function == name
        found += _chain(name, operand.args) if is_same and isinstance(operand, Call) else [operand]
    return found


def _weight(node: Fold) -> int:
    """Steps a turn: the nodes of the author's test and value, not those that a macro puts around them."""
    step = node.step
    if isinstance(step, Call) and step.function == "_?_:_" and isinstance(step.args[1], Call):
        return 1 + weight(step.args[0]) + weight(step.args[1].args[1])
    return 1 + weight(step.args[1] if isinstance(step, Call) else step)
