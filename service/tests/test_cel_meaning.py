"""The compiled engine means what the reference engine means: a table of corners, and expressions that nobody chose."""

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from abuse_service.cel.program import Kind, fit
from abuse_service.cel.values import CelError, CelFailure, TooCostly, Unknown, plain
from abuse_service.cel.vocabulary import Expression, Vocabulary, environment
from abuse_service.errors import ExpressionError

NAMES = {
    "i": Kind.INT, "j.k": Kind.INT, "f": Kind.DOUBLE, "g": Kind.DOUBLE, "s": Kind.STRING, "t.u": Kind.STRING,
    "b": Kind.BOOL, "c.d": Kind.BOOL, "m": Kind.MAP, "ls": Kind.STRINGS, "ld": Kind.LIST, "x": Kind.DYN, "y": Kind.DYN,
    "at": Kind.TIMESTAMP, "span": Kind.DURATION,
}  # fmt: skip
VOCABULARY = Vocabulary(NAMES)
REFERENCE = environment(NAMES)
ERROR = "an error"
COSTS = {name: place for place, name in enumerate(NAMES)}


def by_reference(text: str, values: dict[str, Any]) -> Any:
    """What the reference engine makes of it."""
    compiled = REFERENCE.compile(text)
    try:
        found = compiled.eval(data=values)
        return ERROR if found.type().name() == "ERROR" else comparable(found.plain_value())
    except RuntimeError:
        return ERROR


def by_us(text: str, values: dict[str, Any]) -> Any:
    """What the compiled engine makes of it, with values at hand and with values that it asks for, the same."""
    expression = VOCABULARY.compile(text, "when", condition=False)
    found = expression.evaluate(values)
    told = ERROR if isinstance(found, CelError) else comparable(found)
    for costs in (COSTS, {name: -cost for name, cost in COSTS.items()}):
        assert lazily(expression, values, costs) == told
    return told


class Asked(dict[str, Any]):
    """Values that are fetched once something asks for them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __missing__(self, name: str) -> Any:
        values = self._values
        value = fit(name, NAMES[name], values[name]) if name in values else Unknown(name, f"{name} is unknown")
        self[name] = value
        return value


def lazily(expression: Expression, values: dict[str, Any], costs: dict[str, int]) -> Any:
    """What it is where each value is asked for when it is needed, and the cheapest is needed first."""
    found = VOCABULARY.lazily([expression], costs).run(Asked(values))[0]
    try:
        return ERROR if isinstance(found, CelError) else comparable(plain(found))
    except (CelFailure, TooCostly):
        return ERROR


def comparable(value: Any) -> Any:
    """A value that equals another only if both have one type, and are both no number or equal."""
    if isinstance(value, list):
        return [comparable(element) for element in value]
    if isinstance(value, dict):
        return {key: comparable(held) for key, held in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return (float, "nan")
    return (bytes, bytes(value)) if isinstance(value, bytearray) else (type(value), value)


BIG = 2**63
LEAP_DAY = dt.datetime(2020, 2, 29, 20, 0, 0, 9000, tzinfo=dt.UTC)
CORNERS: list[tuple[str, dict[str, Any]]] = [
    # whole numbers
    ("9223372036854775807 + i", {"i": 1}),
    ("i - 1", {"i": -BIG}),
    ("i * i", {"i": 3_037_000_500}),
    ("-i", {"i": -BIG}),
    ("i / -1", {"i": -BIG}),
    ("i % -1", {"i": -BIG}),
    ("[7 / 2, -7 / 2, 7 / -2, -7 / -2, 7 % 3, -7 % 3, 7 % -3, -7 % -3]", {}),
    ("i / 0", {"i": 1}),
    ("i % 0", {"i": 1}),
    ("1u - 2u", {}),
    ("18446744073709551615u + 1u", {}),
    ("[5u / 2u, 5u % 3u, 2u * 3u]", {}),
    # doubles
    ("[f / 0.0, -f / 0.0, f / -0.0]", {"f": 1.0}),
    ("f / 0.0", {"f": 0.0}),
    ("[f == f, f != f, f < f, f >= f]", {"f": math.nan}),
    ("[f] == [f]", {"f": math.nan}),
    ("f * f", {"f": 1e200}),
    # numbers of different types
    ("[x == y, x < y, x >= y, x != y]", {"x": 9007199254740993, "y": 9007199254740992.0}),
    ("[x == y, x < y, x > y]", {"x": 9223372036854775807, "y": 9223372036854775808.0}),
    ("[x == 1u, x in [1u], x < 2u]", {"x": 1}),
    ("x + y", {"x": 1, "y": 1.0}),
    ("x == y", {"x": True, "y": 1}),
    ("x < y", {"x": True, "y": 2}),
    ("[x < y, x <= y, x > y]", {"x": False, "y": True}),
    ("x in [1]", {"x": True}),
    # text counts code points
    ("[size('é😀'), '😀a'.indexOf('a'), size('a\\u0000b')]", {}),
    ("s.charAt(1) + s.substring(1) + 'hello'.substring(1, 3)", {"s": "😀é"}),
    ("'a' < '😀' && '\\uffff' < '😀'", {}),
    ("[s.lowerAscii(), s.upperAscii(), s.trim()]", {"s": " ÄBäb\u2003"}),
    ("['a,b,,c'.split(','), 'abc'.split(''), 'a,b,c'.split(',', 2), 'a,b'.split(',', 0), ''.split('')]", {}),
    ("['aaa'.replace('a', 'bb', 2), 'ab'.replace('', '-'), 'ab'.replace('', '-', 2), 'a'.replace('b', 'c')]", {}),
    ("['hello'.lastIndexOf('l', 2), 'hello'.lastIndexOf(''), 'hello'.indexOf('', 2), 'hello'.indexOf('l', 4)]", {}),
    ("'hello'.indexOf('l', 9)", {}),
    ("'hello'.substring(3, 1)", {}),
    ("'a'.charAt(2)", {}),
    ("['a', 'b'].join('-') + ['x'].join() + 'ab'.reverse()", {}),
    ("b'\\xff' + b'a' == b'\\xffa' && b'a' < b'b' && size(b'\\xff') == 1", {}),
    ("x.contains('a')", {"x": 1}),
    ("x.matches(y)", {"x": "aab", "y": "^a+b$"}),
    ("x.matches(y)", {"x": "a", "y": "("}),
    ("'x\\ny'.matches('x.y') || 'über'.matches('^\\\\w+$')", {}),
    # conversions
    ("[int('12'), int(' +12 '), int('-0'), int(1.9), int(-1.9)]", {}),
    ("int(s)", {"s": "9223372036854775808"}),
    ("int(s)", {"s": "1_2"}),
    ("int(s)", {"s": "\u0661"}),
    ("int(f)", {"f": 9.3e18}),
    ("int(f)", {"f": math.nan}),
    ("uint(i)", {"i": -1}),
    ("[double('1e3'), double('.5'), double('inf'), double(' -1.'), double('0x10'), double('nan')]", {}),
    ("double(s)", {"s": "1f"}),
    ("[string(1.0), string(1e21), string(0.1), string(1e-7), string(-0.0), string(123456.0), string(1234567.0)]", {}),
    ("[string(0.0001), string(0.00001), string(12.5e10), string(5e-324), string(true), string(5u), string(-3)]", {}),
    ("[bool('true'), bool('1'), bool('f'), bool('TRUE')]", {}),
    ("bool('yes')", {}),
    ("string(b'\\xff')", {}),
    ("string(x)", {"x": [1]}),
    ("[type(x) == int, type(x) == type(1), type(y) == map, type(null) == null_type]", {"x": 1, "y": {}}),
    # lists and maps
    ("[1, 2][x]", {"x": 1.0}),
    ("[1, 2][x]", {"x": 1.5}),
    ("[1, 2][2]", {}),
    ("[1, 2][-1]", {}),
    ("[[1], [2]] + [[3]]", {}),
    ("{'a': 1, 'b': [2]}.b[0]", {}),
    ("{1: 'a'}[x]", {"x": 1.0}),
    ("{1: 'a'}[x]", {"x": True}),
    ("{1: 1, 1: 2}", {}),
    ("{1.5: 1}", {}),
    ("{x: 1}", {"x": None}),
    ("[x == y, x in [y], [x] == [y]]", {"x": {"a": [1, 2]}, "y": {"a": [1.0, 2.0]}}),
    ("[x == null, y == null, x == y]", {"x": None, "y": 1}),
    ("x in m", {"x": 1, "m": {}}),
    ("x in m", {"x": [1], "m": {}}),
    ("1 in x", {"x": 5}),
    ("x.a.b", {"x": {"a": 5}}),
    ("[has(m.a), has(m.b), has(m.a.c)]", {"m": {"a": {}}}),
    ("has(x.a)", {"x": 1}),
    ("has(m.a.b)", {"m": {}}),
    # errors that are absorbed, and those that are not
    ("i / 0 > 1 || true", {"i": 1}),
    ("true || i / 0 > 1", {"i": 1}),
    ("i / 0 > 1 && false", {"i": 1}),
    ("i / 0 > 1 && true", {"i": 1}),
    ("m.a > 1 || m.b > 1 || b", {"m": {}, "b": True}),
    ("m.a > 1 ? true : true", {"m": {}}),
    ("false ? m.a > 1 : true", {"m": {}}),
    ("x && false", {"x": 1}),
    ("x && true", {"x": 1}),
    ("x || true", {"x": "a"}),
    ("!x", {"x": 1}),
    ("i > 0 || true", {}),
    ("i > 0 && b", {"b": True}),
    ("[i].size()", {}),
    ("[b ? i : 1]", {"b": True}),
    ("b", {}),
    # macros
    ("[1, 2].exists(n, 1 / (n - 1) == 1)", {}),
    ("[1, 2].all(n, 1 / (n - 1) == 2)", {}),
    ("[1, 2].exists_one(n, 1 / (n - 1) == 1)", {}),
    ("[1, 2, 2].exists_one(n, n == 2) || [].exists(n, true) || ![].all(n, false)", {}),
    ("[1, 2, 3].filter(n, n > 1).map(n, n * 2)", {}),
    ("[1, 2, 3].map(n, n > 1, [n, i])", {"i": 9}),
    ("ls.map(i, ls.map(i, i + 'x'))", {"ls": ["q"]}),
    ("ls.exists(b, b == 'q' && .b)", {"ls": ["q"], "b": True}),
    ("m.all(k, m[k] > 0) && m.exists(k, k == 'a')", {"m": {"a": 1, "b": 2}}),
    ("x.exists(n, true)", {"x": "abc"}),
    ("x.map(n, n + n)", {"x": [1, "a", [2]]}),
    ("[1].filter(n, x)", {"x": 1}),
    # optional values
    ("[m.?a.orValue(3), m.?b.c.orValue(4), m[?'a'].orValue(5), ld[?0].orValue(6)]", {"m": {"a": 1}, "ld": []}),
    ("[?m.?a, ?m.?b] == [1] && {?'x': m.?a, ?'y': m.?b} == {'x': 1}", {"m": {"a": 1}}),
    ("m.?a.optMap(v, v + 1).orValue(0) + m.?b.optMap(v, v + 1).orValue(0)", {"m": {"a": 1}}),
    ("m.?a.optFlatMap(v, v.?b).orValue(7)", {"m": {"a": {}}}),
    ("m.?a.b.hasValue()", {"m": {"a": 1}}),
    ("optional.none().value()", {}),
    ("optional.ofNonZeroValue('').hasValue() || m.?a.or(optional.of(2)).value() == 2", {"m": {}}),
    ("optional.of(1) == optional.of(1) && optional.of(1) != optional.none()", {}),
    # time
    ("[timestamp('2020-01-01T00:00:00.5+02:00'), timestamp(1), timestamp('2016-12-31T23:59:60Z')]", {}),
    ("timestamp('2020-02-30T00:00:00Z')", {}),
    ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", {}),
    ("timestamp('2293-01-01T00:00:00Z') - timestamp('2000-01-01T00:00:00Z')", {}),
    ("[at + span, at - span, span + at]", {"at": dt.datetime(2020, 2, 29, tzinfo=dt.UTC), "span": dt.timedelta(1.5)}),
    ("[at.getDayOfYear(), at.getDayOfWeek(), at.getMonth(), at.getDate(), at.getDayOfMonth()]", {"at": LEAP_DAY}),
    ("[at.getHours('+05:30'), at.getHours('Asia/Tokyo'), at.getMilliseconds()]", {"at": LEAP_DAY}),
    ("at.getHours('nowhere')", {"at": dt.datetime(2020, 2, 29, tzinfo=dt.UTC)}),
    ("[duration('1h30m1.5s'), duration('-.5s'), duration('0')]", {}),
    ("duration('1d')", {}),
    ("[duration('-90s').getMinutes(), duration('3661.5s').getSeconds(), duration('3661.5s').getMilliseconds()]", {}),
    ("[string(duration('1500us')), string(duration('-1.5h')), string(timestamp('2020-01-01T00:00:00.120Z'))]", {}),
    ("int(timestamp('1969-12-31T23:59:59.5Z'))", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), CORNERS)
def test_corner_means_what_cel_says(text: str, values: dict[str, Any]) -> None:
    """The corners of the language come out as in the reference engine, errors included."""
    assert by_us(text, values) == by_reference(text, values)


INTS = st.one_of(
    st.integers(-5, 5), st.sampled_from([BIG - 1, -BIG, 2**62, -(2**62), 2**53 + 1, 2**32]), st.integers(-BIG, BIG - 1)
)
DOUBLES = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.5, math.inf, -math.inf, math.nan, 9223372036854775808.0, 1e300]),
    st.floats(),
)
TEXTS = st.one_of(
    st.sampled_from(["", "a", "ab", "opus", "é", "😀", "a😀b", "ß", "12", "-1.5"]),
    # The reference's binding cuts a text that is handed over at its first NUL, so none has one.
    st.text(max_size=6, alphabet=st.characters(codec="utf-8", exclude_characters="\u0000")),
)
ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), INTS, DOUBLES, TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=4,
)
INSTANTS = st.integers(-2_000_000_000, 4_000_000_000).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC))
LENGTHS = st.timedeltas(dt.timedelta(days=-1000), dt.timedelta(days=1000))
NAMED: dict[str, st.SearchStrategy[Any]] = {
    "i": INTS, "j.k": INTS, "f": DOUBLES, "g": DOUBLES, "s": TEXTS, "t.u": TEXTS, "b": st.booleans(),
    "c.d": st.booleans(), "m": st.dictionaries(st.sampled_from(["a", "b", "é"]), ANY, max_size=1),
    "ls": st.lists(TEXTS, max_size=3), "ld": st.lists(ANY, max_size=3), "x": ANY, "y": ANY, "at": INSTANTS,
    "span": LENGTHS,
}  # fmt: skip
ALL_GIVEN = st.fixed_dictionaries(NAMED)
SOME_GIVEN = st.fixed_dictionaries({}, optional=NAMED)


def quoted(text: str) -> str:
    """A text as a CEL literal."""
    return "'" + "".join(f"\\U{ord(letter):08x}" if not letter.isalnum() else letter for letter in text) + "'"


LEAVES: dict[str, st.SearchStrategy[str]] = {
    "int": st.one_of(st.sampled_from(["i", "j.k"]), INTS.map(lambda number: f"({number})")),
    "uint": st.integers(0, 2**64 - 1).map(lambda number: f"{number}u") | st.sampled_from(["1u", "2u", "0u"]),
    "double": st.one_of(
        st.sampled_from(["f", "g", "0.0", "-1.5"]),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda number: f"({number!r})"),
    ),
    "string": st.one_of(st.sampled_from(["s", "t.u"]), TEXTS.map(quoted)),
    "bool": st.sampled_from(["b", "c.d", "true", "false"]),
    "list": st.sampled_from(["ls", "[]", "['a', 'opus']", "[s]"]),
    "dyn": st.sampled_from(["x", "y", "m.a", "m.b", "m['é']", "ld[0]", "x.a", "x[1]", "dyn(i)", "dyn(s)", "dyn(2u)"]),
    "timestamp": st.sampled_from(["at", "timestamp('2020-02-29T12:30:00.25Z')", "timestamp(0)"]),
    "duration": st.sampled_from(["span", "duration('90m')", "duration('-1.5s')"]),
}
SHAPES: dict[str, list[str]] = {
    "int": [
        "({int} + {int})", "({int} - {int})", "({int} * {int})", "({int} / {int})", "({int} % {int})", "(-{int})",
        "size({string})", "{list}.size()", "({bool} ? {int} : {int})", "int({double})", "int({string})", "int({uint})",
        "{string}.indexOf({string})", "{string}.lastIndexOf({string})", "int({timestamp})", "{timestamp}.getHours()",
        "{timestamp}.getDayOfYear()", "{duration}.getMinutes()", "[{int}, {int}][{int} % 2]", "size({dyn})",
        "[{int}].map(n, n + {int})[0]", "m.?a.orValue({int})",
    ],
    "uint": ["({uint} + {uint})", "({uint} - {uint})", "({uint} * {uint})", "uint({int})", "uint({double})"],
    "double": [
        "({double} + {double})", "({double} - {double})", "({double} * {double})", "({double} / {double})",
        "(-{double})", "double({int})", "double({string})", "({bool} ? {double} : {double})", "double({uint})",
    ],
    "string": [
        "({string} + {string})", "({bool} ? {string} : {string})", "string({int})", "string(double({int}) * 0.001)",
        "string({bool})", "{string}.lowerAscii()", "{string}.upperAscii()", "{string}.trim()", "{string}.reverse()",
        "{string}.substring({int} % 3)", "{string}.charAt({int} % 3)", "{string}.replace({string}, {string})",
        "{list}.join('-')", "{list}[{int}]", "string({timestamp})", "string({duration})", "string(dyn({int}))",
    ],
    "bool": [
        "({bool} && {bool})", "({bool} || {bool})", "(!{bool})", "({int} < {int})", "({int} == {int})",
        "({int} >= {int})", "({double} <= {double})", "({double} != {double})", "({string} < {string})",
        "({string} == {string})", "{string}.contains({string})", "{string}.startsWith({string})",
        "{string}.endsWith({string})", "({string} in {list})", "({dyn} in [{int}, 1])", "({dyn} == {dyn})",
        "({dyn} < {dyn})", "({dyn} > {double})", "({dyn} == {string})", "has(m.a)", "has(x.a)", "(s in m)",
        "{list}.exists(n, n == {string})", "{list}.all(n, n < {string} || {bool})", "ld.exists(n, n == {dyn})",
        "ld.all(n, n > {int})", "x.exists_one(n, n == {dyn})", "[{bool}, {bool}].exists_one(n, n)",
        "({dyn} || {bool})", "({dyn} && {bool})", "({list} == {list})", "({timestamp} < {timestamp})",
        "({duration} >= {duration})", "({bool} ? {bool} : {bool})", "{string}.matches('^[a-zé]+$')", "({dyn} in m)",
        "m.all(k, k != {string})", "({uint} < {uint})", "type({dyn}) == type({dyn})", "ls.exists(n, ls.all(k, n >= k))",
        "({int} / {int} == {int} || {bool})", "({int} % {int} == {int} && {bool})", "(dyn({int}) < dyn({double}))",
        "(dyn({uint}) == dyn({int}))", "optional.of({dyn}) == optional.of({dyn})",
    ],
    "list": [
        "({list} + {list})", "{list}.map(n, n + {string})", "{list}.filter(n, n != {string})", "[{string}, {string}]",
        "{string}.split({string})", "({bool} ? {list} : {list})", "{list}.map(n, n < {string}, {string})",
    ],
    "dyn": [
        "({dyn} + {dyn})", "({dyn} - {dyn})", "({dyn} * {dyn})", "({dyn} / {dyn})", "({dyn} % {dyn})", "(-{dyn})",
        "dyn({int})", "dyn({double})", "dyn({string})", "dyn({bool})", "dyn({list})", "({dyn} ? {dyn} : {dyn})",
        "{dyn}[{dyn}]", "{dyn}.map(n, n)", "{dyn}.filter(n, {dyn})", "ld.map(n, n + {dyn})", "{'a': {dyn}}.a",
        "{dyn}.a", "dyn([{dyn}, {int}])", "m.?a.orValue({dyn})", "dyn({uint})",
    ],
    "timestamp": ["({timestamp} + {duration})", "({timestamp} - {duration})"],
    "duration": ["({duration} + {duration})", "({timestamp} - {timestamp})", "({duration} - {duration})"],
}  # fmt: skip


@st.composite
def expression(draw: st.DrawFn, kind: str, depth: int) -> str:
    """A well-typed expression."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(LEAVES[kind])
    shape = draw(st.sampled_from(SHAPES[kind]))
    text = ""
    while "{" in shape:
        before, _, rest = shape.partition("{")
        hole, _, shape = rest.partition("}")
        if hole in SHAPES:
            text += before + draw(expression(hole, depth - 1))
        else:
            text += f"{before}{{"
            shape = f"{hole}}}{shape}"
    return text + shape


@settings(
    max_examples=2500,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    text=st.sampled_from(list(SHAPES)).flatmap(lambda kind: expression(kind, 3)),
    values=st.one_of(ALL_GIVEN, ALL_GIVEN, ALL_GIVEN, SOME_GIVEN),
)
def test_any_expression_means_what_the_reference_says(text: str, values: dict[str, Any]) -> None:
    """Whatever is written, both engines give one value, or both an error."""
    try:
        expected = by_reference(text, values)
    except RuntimeError:
        with pytest.raises(ExpressionError):
            VOCABULARY.compile(text, "when", condition=False)
        return
    try:
        VOCABULARY.compile(text, "when", condition=False)
    except ExpressionError as refused:
        if "steps" in refused.fault:
            reject()  # what may run too long is refused, whatever it means
        raise
    assert by_us(text, values) == expected
