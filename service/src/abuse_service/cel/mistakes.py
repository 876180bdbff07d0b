"""What is wrong with an expression, as a good compiler says it: the spot, what was found and expected, a near name."""

import difflib
import re
from collections.abc import Collection

from abuse_service.cel.functions import FUNCTIONS
from abuse_service.errors import ExpressionError

_REPORT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR:| \[[A-Z_]+\]\s*$|\Z)", re.DOTALL)
_UNDECLARED = re.compile(r"undeclared reference to '(.+?)' \(in container")
_OVERLOAD = re.compile(r"found no matching overload for '(.+?)' applied to '\((.*)\)'", re.DOTALL)
_SYNTAX = re.compile(
    r"Syntax error: (?:mismatched input|extraneous input|no viable alternative at input) '(.*?)'", re.DOTALL
)
_MISSING = re.compile(r"Syntax error: missing ('.+?') at '(.*?)'", re.DOTALL)
_UNREADABLE = re.compile(r"Syntax error: token recognition error at: '(.*)'", re.DOTALL)
_EXPECTING = re.compile(r"expecting (\{.*\}|\S+)", re.DOTALL)
_NOT_A_MAP = re.compile(r"expression of type '(.+?)' cannot be the operand of a select operation")
_MACROS = frozenset(
    {"all", "exists", "exists_one", "filter", "map", "has", "or", "orValue", "optMap", "optFlatMap", "dyn"}
)
_CALLED = {name for name in FUNCTIONS if name.isidentifier()} | _MACROS
_SAME = "two values of one type"
_EXPECTED = {
    "&&": "bool on both sides",
    "||": "bool on both sides",
    "!": "bool",
    "?:": "bool before ?, and one type on both sides of :",
    "in": "a list of the left side's type, or a map with such keys, on the right",
    "[]": "a list and an int, or a map and one of its keys",
    "+": f"{_SAME}: int, uint, double, string, bytes or list; or a timestamp and a duration",
    "-": "two numbers of one type, or a timestamp and a duration",
    "*": "two numbers of one type",
    "/": "two numbers of one type",
    "%": "two int or two uint",
    "contains": "string.contains(string)",
    "startsWith": "string.startsWith(string)",
    "endsWith": "string.endsWith(string)",
    "matches": "string.matches(string)",
    "size": "a string, bytes, list or map",
    "map": "map(name, value)",
    "has": "has(map.field)",
    "all": "all(name, condition)",
    "exists": "exists(name, condition)",
    "exists_one": "exists_one(name, condition)",
    "filter": "filter(name, condition)",
} | dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _SAME)


def mistake(text: str, raw: str, names: Collection[str], path: str) -> ExpressionError:
    """The fault to mend first of those that the parser or the checker reports, in our words."""
    reports = [report for report in _REPORT.finditer(raw) if int(report[1]) >= 1]
    if not reports:
        return ExpressionError("nested too deep" if "recursion" in raw else _bare(raw), path=path, text=text)
    lines = text.split("\n")
    spots = [_Spot(text, lines, int(report[1]), int(report[2]), path) for report in reports]
    said = [report[3].strip() for report in reports]
    for spot, words in zip(spots, said, strict=True):
        # A misspelt macro makes its variable undeclared as well, and that is reported first.
        if (undeclared := _UNDECLARED.search(words)) and spot.is_call and _is_near(undeclared[1]):
            return _unknown_function(spot, undeclared[1])
    undeclared = _UNDECLARED.search(said[0])
    if undeclared and spots[0].is_call:
        return _unknown_function(spots[0], undeclared[1])
    return _first(spots[0], said[0], names)


def _is_near(name: str) -> bool:
    return bool(difflib.get_close_matches(name, list(_CALLED), 1, 0.7))


def _bare(raw: str) -> str:
    return re.sub(r" \[[A-Z_]+\]\s*$", "", raw.partition("\n")[0].partition(": ")[2]) or "can't be read"


class _Spot:
    """Where a fault is reported."""

    def __init__(self, text: str, lines: list[str], line: int, column: int, path: str) -> None:
        self._text = text
        self._path = path
        self.line, self.column = line, column
        self.shown = lines[line - 1] if line <= len(lines) else ""
        self.is_call = self.shown[column - 1 : column] == "("

    def error(self, fault: str, length: int = 1, column: int | None = None, **known: str | None) -> ExpressionError:
        at = self.column if column is None else column
        return ExpressionError(
            fault, path=self._path, text=self._text, line=self.line, column=at, length=length, **known
        )

    def find(self, name: str) -> tuple[int, int]:
        """Column and length of a name; the checker points at its last dot, or at the bracket behind it."""
        found = [match.start() + 1 for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", self.shown)]
        before = [start for start in found if start <= self.column] or found
        return (before[-1], len(name)) if before else (self.column, 1)


def _first(spot: _Spot, said: str, names: Collection[str]) -> ExpressionError:
    if undeclared := _UNDECLARED.search(said):
        return _unknown_name(spot, undeclared[1], names)
    if overload := _OVERLOAD.search(said):
        return _overload(spot, overload[1], _type(overload[2]))
    if not_a_map := _NOT_A_MAP.search(said):
        if not_a_map[1].startswith("type("):
            # `list` and `map` are names of types as well; what follows was meant as the rest of a name.
            before = re.search(r"[\w.]*$", spot.shown[: spot.column - 1])
            return _unknown_name(spot, before[0] if before else "", names)
        field = re.match(r"\.\s*(\w+)", spot.shown[spot.column - 1 :])
        found = _type(not_a_map[1])
        return spot.error(f"{found} has no fields", field.end() if field else 1, found=found, expected="a map")
    return _syntax(spot, said)


def _unknown_name(spot: _Spot, name: str, names: Collection[str]) -> ExpressionError:
    column, length = spot.find(name)
    # The whole dotted name is misspelt, also where the checker saw only its beginning; a method is no part of it.
    whole = re.match(r"\w+(?:\.\w+(?!\w*\())*", spot.shown[column - 1 :])
    full = whole[0] if whole and whole[0].startswith(name) else name
    nearest = difflib.get_close_matches(full, list(names), 1, 0.7)
    return spot.error(
        f"unknown name {full[:80]}{f'; did you mean {nearest[0]}?' if nearest else ''}", max(length, len(full)), column,
        found=full, expected="a declared name", nearest=nearest[0] if nearest else None,
    )  # fmt: skip


def _unknown_function(spot: _Spot, name: str) -> ExpressionError:
    column, length = spot.find(name)
    if name in _CALLED:
        expected = _EXPECTED.get(name, "other arguments")
        return spot.error(f"{name} takes other arguments, expected {expected}", length, column, expected=expected)
    nearest = difflib.get_close_matches(name, list(_CALLED), 1, 0.7)
    return spot.error(
        f"unknown function {name[:80]}{f'; did you mean {nearest[0]}?' if nearest else ''}", length, column,
        found=name, expected="a function", nearest=nearest[0] if nearest else None,
    )  # fmt: skip


def _overload(spot: _Spot, function: str, given: str) -> ExpressionError:
    name = function.removeprefix("@").strip("_") or function
    name = {"[_]": "[]", "?_:": "?:", "[?_]": "[?]", "?.": ".?"}.get(name, name)
    expected = _EXPECTED.get(name, "other arguments")
    is_word = name.isidentifier() and name != "in"
    column, length = spot.find(name) if is_word else (spot.column, 1 if name in ("?:", "[]") else len(name))
    found = given if len(given) <= 100 else f"{given[:100]}..."
    mixed = "; int and double do not mix: write double(...), or a point as in 5.0"
    hint = mixed if set(given.split(", ")) == {"int", "double"} else ""
    return spot.error(
        f"{name} does not take ({found}), expected {expected}{hint}", length, column,
        found=f"({found})", expected=expected,
    )  # fmt: skip


def _syntax(spot: _Spot, said: str) -> ExpressionError:
    expecting = _EXPECTING.search(said)
    expected = _tokens(expecting[1]) if expecting else "another token"
    found: str | None = None
    if missing := _MISSING.search(said):
        expected, found = missing[1].strip("'"), missing[2]
    elif unreadable := _UNREADABLE.search(said):
        found = unreadable[1].strip()
        is_text = found[:1] in ("'", '"')
        expected = "a text that ends on its line, with known escapes" if is_text else "CEL"
    elif syntax := _SYNTAX.search(said):
        found = syntax[1]
    if found is None:
        return spot.error(said)
    length = 1 if found == "<EOF>" else len(found.split("\n")[0])
    found = "the end" if found == "<EOF>" else found
    meant = {"and": "&&", "or": "||", "not": "!", "=": "==", "&": "&&", "|": "||"}.get(found)
    hint = f"; did you mean {meant}?" if meant else ""
    return spot.error(
        f"expected {expected}, found {found}{hint}", length, found=found, expected=expected, nearest=meant
    )


def _tokens(expecting: str) -> str:
    if "NUM_INT" in expecting or "IDENTIFIER" in expecting:
        return "a value"
    tokens = re.findall(r"'(.+?)'|<(EOF)>", expecting)
    return " or ".join("the end or an operator" if end else token for token, end in tokens) or expecting


def _type(name: str) -> str:
    return (
        name.replace("google.protobuf.Timestamp", "timestamp")
        .replace("google.protobuf.Duration", "duration")
        .replace("null_type", "null")
    )
