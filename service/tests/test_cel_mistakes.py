"""Mistakes in an expression are shown as a good compiler shows them."""

import pytest

from abuse_service.cel.program import Kind
from abuse_service.cel.vocabulary import Vocabulary
from abuse_service.errors import ExpressionError

VOCABULARY = Vocabulary(
    {
        "identity.is_blocked": Kind.BOOL,
        "identity.age_days": Kind.DOUBLE,
        "requests_1m": Kind.INT,
        "request.model": Kind.STRING,
        "list.models": Kind.STRINGS,
        "event": Kind.MAP,
    }
)


def refused(text: str) -> ExpressionError:
    """What the expression is refused with."""
    with pytest.raises(ExpressionError) as caught:
        VOCABULARY.compile(text, "rules[0].when")
    return caught.value


@pytest.mark.parametrize(
    ("text", "picture"),
    [
        ("identity.is_blokced || requests_1m > 5", """\
unknown name identity.is_blokced; did you mean identity.is_blocked?
 | identity.is_blokced || requests_1m > 5
 | ^^^^^^^^^^^^^^^^^^^"""),
        ("requests_1m > 5 &&\n  identity.age_day < 1.0", """\
unknown name identity.age_day; did you mean identity.age_days?
 |   identity.age_day < 1.0
 | ..^^^^^^^^^^^^^^^^"""),
        ("request.model.contians('opus')", """\
unknown function contians; did you mean contains?
 | request.model.contians('opus')
 | ..............^^^^^^^^"""),
        ("list.models.exist(m, m == 'opus')", """\
unknown function exist; did you mean exists?
 | list.models.exist(m, m == 'opus')
 | ............^^^^^"""),
        ("request.model.matches()", """\
matches takes other arguments, expected string.matches(string)
 | request.model.matches()
 | ..............^^^^^^^"""),
        ("identity.age_days < 90", """\
< does not take (double, int), expected two values of one type; int and double do not mix: write double(...), \
or a point as in 5.0
 | identity.age_days < 90
 | ..................^"""),
        ("requests_1m && true", """\
&& does not take (int, bool), expected bool on both sides
 | requests_1m && true
 | ............^^"""),
        ("requests_1m > 5 and identity.is_blocked", """\
expected the end or an operator, found and; did you mean &&?
 | requests_1m > 5 and identity.is_blocked
 | ................^^^"""),
        ("requests_1m = 5", """\
expected CEL, found =; did you mean ==?
 | requests_1m = 5
 | ............^"""),
        ("(requests_1m > 5", """\
expected ), found the end
 | (requests_1m > 5
 | ................^"""),
        ("request.model == 'opus", """\
expected a text that ends on its line, with known escapes, found 'opus
 | request.model == 'opus
 | .................^^^^^"""),
        ("requests_1m.size() > 5", """\
size does not take (int), expected a string, bytes, list or map
 | requests_1m.size() > 5
 | ............^^^^"""),
        ("requests_1m.x > 5", """\
int has no fields
 | requests_1m.x > 5
 | ...........^^"""),
        ("list.model.size() > 5", """\
unknown name list.model; did you mean list.models?
 | list.model.size() > 5
 | ^^^^^^^^^^"""),
        ("request.model.matches('(a')", """\
not a pattern of RE2: missing ): (a
 | request.model.matches('(a')
 | ......................^"""),
        ("'ü' == mödel", "expected CEL, found ö\n | 'ü' == mödel\n | ........^"),
        ("has(requests_1m)", "has() argument must be a field selection\n | has(requests_1m)\n | ....^"),
        ("'%s'.format([1]) == '1'", """\
the function format is not offered here
 | '%s'.format([1]) == '1'
 | ...........^"""),
        ("requests_1m + 1", "expected a condition (bool), found int"),
        ("", "expected a value, found the end\n | \n | ^"),
    ],
)  # fmt: skip
def test_mistake_is_shown(text: str, picture: str) -> None:
    """The fault, what was expected instead, the nearest name, and a mark under the spot."""
    error = refused(text)
    assert str(error) == picture
    assert error.path == "rules[0].when"


def test_mistake_is_data() -> None:
    """Whoever knows the file can say where in it the spot is: line, column and length are given, and what is wrong."""
    error = refused("requests_1m > 5 &&\n  identity.age_day < 1.0")
    assert (error.line, error.column, error.length) == (2, 3, 16)
    assert (error.found, error.expected, error.nearest) == (
        "identity.age_day",
        "a declared name",
        "identity.age_days",
    )
    assert error.fault == "unknown name identity.age_day; did you mean identity.age_days?"


@pytest.mark.parametrize(
    "text", ["x" * 5000, "[[[[1]]]] == " + "[" * 20 + "'a'" + "]" * 20, "\x00", "a\n" * 50, "'\\q"]
)
def test_no_text_breaks_the_report(text: str) -> None:
    """Whatever is written there is a sentence about it, of a length that can be read."""
    assert 0 < len(refused(text).fault) < 400
