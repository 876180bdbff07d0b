"""Expressions as the service runs them: alone and together, with constants, and where values are missing."""

import contextlib
import datetime as dt
from typing import Any

import pytest

from abuse_service.cel.program import Kind
from abuse_service.cel.values import CelError
from abuse_service.cel.vocabulary import Vocabulary
from abuse_service.errors import ExpressionError

VOCABULARY = Vocabulary(
    {
        "identity.is_blocked": Kind.BOOL,
        "identity.age_days": Kind.DOUBLE,
        "requests_1m": Kind.INT,
        "request.model": Kind.STRING,
        "threshold.most": Kind.INT,
        "threshold.least": Kind.INT,
        "threshold.share": Kind.DOUBLE,
        "list.models": Kind.STRINGS,
        "event": Kind.MAP,
        "seen_at": Kind.TIMESTAMP,
        "tags": Kind.STRINGS,
    }
)
CONSTANTS: dict[str, Any] = {
    "threshold.most": 5,
    "threshold.least": -5,
    "threshold.share": 0.5,
    "list.models": ["opus", "größer", "😀"],
}


class Counting(dict[str, Any]):
    """Values that count how often each is fetched."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.fetched: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.fetched.append(name)
        return super().__getitem__(name)


def run(texts: list[str], values: dict[str, Any]) -> list[Any]:
    """Conditions run together."""
    compiled = [VOCABULARY.compile(text, "when", constants=CONSTANTS) for text in texts]
    return VOCABULARY.together(compiled).run(values)


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("requests_1m > threshold.most", {"requests_1m": 6}, True),
        ("requests_1m -threshold.least > 0", {"requests_1m": -4}, True),
        ("requests_1m > threshold.least - 1", {"requests_1m": -5}, True),
        ("identity.age_days < threshold.share", {"identity.age_days": 0.4}, True),
        ("request.model in list.models", {"request.model": "😀"}, True),
        ("request.model in list.models", {"request.model": "haiku"}, False),
        ("list.models.exists(model, request.model.endsWith(model))", {"request.model": "x-größer"}, True),
        ("list.models[0] == 'opus' && size(list.models) == 3", {}, True),
        ("tags == ['a'] && seen_at > timestamp(0)",
         {"tags": ["a"], "seen_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, True),
    ],
)  # fmt: skip
def test_constants_are_bound(text: str, values: dict[str, Any], holds: bool) -> None:
    """Thresholds and lists have their value for good, and need not be given."""
    assert VOCABULARY.compile(text, "when", constants=CONSTANTS).holds(values) is holds


def test_each_value_is_fetched_once() -> None:
    """However many rules read a name, its value is fetched once a run."""
    values = Counting({"requests_1m": 6, "request.model": "opus"})
    texts = ["requests_1m > 5 && request.model == 'opus'", "requests_1m > 7", "request.model.contains('x')"]
    assert run(texts, values) == [True, False, False]
    assert sorted(values.fetched) == ["request.model", "requests_1m"]


def test_one_error_hides_no_other() -> None:
    """A condition that fails says why, and the others are told as if it were not there."""
    texts = ["requests_1m > 5", "requests_1m / (requests_1m - 6) > 1", "event.cost > 5", "event.cost > 5 || true"]
    found = run(texts, {"requests_1m": 6, "event": {}})
    assert found == [True, CelError("divide by zero"), CelError("no such key"), True]


def test_unknown_name_is_named() -> None:
    """A condition that reads an unknown value says which; where that does not matter it is told."""
    texts = [
        "identity.is_blocked",
        "identity.is_blocked && requests_1m > 5",
        "identity.is_blocked && requests_1m > 6",
        "requests_1m > 5 || identity.is_blocked",
        "!identity.is_blocked",
        "requests_1m > 5 ? identity.is_blocked : true",
    ]
    why = CelError("identity.is_blocked is unknown", ("identity.is_blocked",))
    for unknown in ({}, {"identity.is_blocked": None}):
        assert run(texts, {"requests_1m": 6, **unknown}) == [why, why, False, True, why, why]


@pytest.mark.parametrize(
    "text",
    [
        "identity.age_days > 1.0", "1.0 < identity.age_days", "identity.age_days == 1.0", "-identity.age_days < 0.0",
        "identity.age_days + 1.0 > 0.0", "1.0 - identity.age_days > 0.0", "identity.age_days / 2.0 > 0.0",
        "string(identity.age_days) != ''", "identity.age_days in [1.0, 2.0]", "[identity.age_days] == [1.0]",
        "{'a': identity.age_days}.size() == 1", "optional.of(identity.age_days).hasValue()",
        "type(identity.age_days) == double", "[1].map(n, identity.age_days).size() == 1",
        "[1].exists(n, identity.age_days > 0.0)", "dyn(identity.age_days) == 1",
        "event[string(identity.age_days)] == 1",
    ],
)  # fmt: skip
def test_unknown_is_an_error_wherever_it_stands(text: str) -> None:
    """No operator, function or literal takes an unknown value for a known one."""
    found = VOCABULARY.compile(text, "when").evaluate({"event": {}})
    assert found == CelError("identity.age_days is unknown", ("identity.age_days",))


@pytest.mark.parametrize(
    ("text", "value"),
    [("requests_1m > 0", True), ("requests_1m > 0", 1.0), ("requests_1m > 0", "1"), ("identity.is_blocked", 1),
     ("request.model == 'a'", 5), ("event == {}", []), ("tags.size() > 0", ["a", 1]), ("seen_at > timestamp(0)", 5)],
)  # fmt: skip
def test_value_of_another_kind_is_an_error(text: str, value: Any) -> None:
    """A value that is not what was declared is an error that says so without the value."""
    expression = VOCABULARY.compile(text, "when")
    (name,) = expression.reads
    found = expression.evaluate({name: value})
    assert isinstance(found, CelError)
    assert found.message.startswith(f"{name} is ")
    assert expression.holds({name: value}) is None


def test_whole_number_is_a_double_too() -> None:
    """A whole number may be given for a double; a bool may not."""
    assert VOCABULARY.compile("identity.age_days > 0.5", "when").holds({"identity.age_days": 1}) is True


def test_condition_may_be_dynamic() -> None:
    """A condition of unknown type must be a bool when it is run."""
    expression = VOCABULARY.compile("event.streamed", "when")
    assert [expression.holds({"event": {"streamed": value}}) for value in (True, False, 1, None)] == [
        True,
        False,
        None,
        None,
    ]


def test_reads_are_the_names_it_uses() -> None:
    """What an expression reads are the declared names in it, and none that stands in a text or is its own."""
    text = "list.models.exists(tags, request.model.endsWith(tags)) && request.model != 'requests_1m' && .tags == []"
    assert VOCABULARY.compile(text, "when").reads == ("list.models", "request.model", "tags")


def test_values_come_as_pythons_own() -> None:
    """A value is one of Python's own types; what CEL has no type for is an error."""
    texts = {
        "5u": 5,
        "duration('1m')": dt.timedelta(minutes=1),
        "[timestamp(0)]": [dt.datetime(1970, 1, 1, tzinfo=dt.UTC)],
    }
    for text, value in texts.items():
        assert VOCABULARY.compile(text, "value", condition=False).read({}) == value
    expression = VOCABULARY.compile("event.odd", "value", condition=False)
    assert isinstance(expression.evaluate({"event": {"odd": object()}}), CelError)
    assert expression.read({"event": {"odd": 2**70}}) is None


def test_substring_counts_code_points() -> None:
    """Places count code points to the end of the text (the reference engine refuses the last ones of this)."""
    assert VOCABULARY.compile("'😀é'.substring(1, 2) == 'é'", "when").holds({}) is True


def test_bools_and_numbers_share_no_map() -> None:
    """Python takes 1 and true for one key, so a map with both is an error here; apart they are two keys."""
    assert VOCABULARY.compile("{true: 1}[true] == 1 && !(dyn(1) in {true: 1})", "when").holds({}) is True
    assert isinstance(VOCABULARY.compile("{true: 1, 1: 2} != {}", "when").evaluate({}), CelError)


def test_deep_but_allowed_compiles() -> None:
    """Whatever depth the parser lets through, Python's own compiler takes as well."""
    for text in (
        "requests_1m" + " + requests_1m" * 31 + " > 0",
        "(" * 31 + "true" + ")" * 31,
        "[" * 30 + "]" * 30 + " != [1]",
    ):
        with contextlib.suppress(ExpressionError):  # where the parser itself goes no deeper
            assert VOCABULARY.compile(text, "when").holds({"requests_1m": 1}) is True
