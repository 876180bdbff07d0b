"""Where in a policy file a mistake stands, and how it is shown."""

import difflib
import re
from typing import Any

import msgspec
import yaml

from abuse_service.errors import ExpressionError, PolicyError
from abuse_service.features.declaration import Declaration
from abuse_service.policy.document import Case, Document, Outcome, RuleText, TrustText

_STEPS = re.compile(r"[^.\[\]]+|\[\d+\]")
_SHAPES: dict[str, type[msgspec.Struct]] = {
    "": Document,
    "outcome": Outcome,
    "features.*": Declaration,
    "rules[]": RuleText,
    "rules[].cases[]": Case,
    "trust[]": TrustText,
}


def locate(error: PolicyError, text: str, file: str) -> PolicyError:
    """The same error, with file, line, column and a picture of the spot in its message."""
    spot = find_spot(text, error.path or "")
    if spot is None:
        return error
    line, column = spot
    if isinstance(error, ExpressionError) and error.line is not None and error.column is not None:
        line, column = _within(text, line, column, error.line, error.column)
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    gutter = len(str(line))
    fault = error.fault if isinstance(error, ExpressionError) else error.message
    length = error.length if isinstance(error, ExpressionError) else max(1, len(shown.rstrip()) - column + 1)
    length = max(1, min(length, len(shown) - column + 1))
    picture = f"{' ' * gutter} |\n{line} | {shown}\n{' ' * gutter} | {' ' * (column - 1)}{'^' * length}"
    return PolicyError(fault, path=error.path, place=f"{file}:{line}:{column}", picture=picture)


def find_spot(text: str, path: str) -> tuple[int, int] | None:
    """Line and column, from 1, of what a path such as ``rules[3].when`` names; of its nearest holder where it is
    absent.

    An entry of a list may be named by its ``name`` or ``id`` as well.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return (mark.line + 1, mark.column + 1) if mark else None
    if node is None:
        return None
    mark = node.start_mark
    for step in _STEPS.findall(path):
        found = _step_into(node, step)
        if found is None:
            break
        mark, node = found
    return mark.line + 1, mark.column + 1


def explain_shape(message: str, path: str) -> str:
    """What msgspec says of a wrong shape, with what was expected and the nearest name."""
    message = message[:1].lower() + message[1:]
    shape = _shape_of(path)
    if (unknown := re.search(r"unknown field `([^`]+)`", message)) and shape is not None:
        names = list(shape.__struct_fields__)
        return f"unknown field {unknown[1]}{_nearest(unknown[1], names)}; expected one of: {', '.join(names)}"
    if found := re.search(r"invalid enum value '?([^']*)'?", message):
        allowed = _allowed(path)
        return f"found {found[1]!r}{_nearest(found[1], allowed)}; expected one of: {', '.join(allowed)}"
    return message


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f", did you mean {close[0]}?" if close else ""


def _shape_of(path: str) -> type[msgspec.Struct] | None:
    general = re.sub(r"\[\d+\]", "[]", path).replace("[...]", ".*")
    general = re.sub(r"^features\.[^.]+$", "features.*", general)
    return _SHAPES.get(general)


def _allowed(path: str) -> list[str]:
    holder, _, name = path.rpartition(".")
    shape = _shape_of(holder)
    if shape is None:
        return []
    kind: Any = next((field.type for field in msgspec.structs.fields(shape) if field.name == name), None)
    members = [kind, *getattr(kind, "__args__", ())]
    return [str(member) for one in members if hasattr(one, "__members__") for member in one]


def _step_into(node: yaml.Node, step: str) -> tuple[Any, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                is_scalar = isinstance(value, yaml.ScalarNode)
                return (value.start_mark if is_scalar else key.start_mark), value
    if isinstance(node, yaml.SequenceNode):
        for place, entry in enumerate(node.value):
            if step == f"[{place}]" or _is_named(entry, step):
                return entry.start_mark, entry
    return None


def _is_named(node: yaml.Node, name: str) -> bool:
    if not isinstance(node, yaml.MappingNode):
        return False
    return any(key.value in ("name", "id") and getattr(value, "value", None) == name for key, value in node.value)


def _within(text: str, line: int, column: int, inner_line: int, inner_column: int) -> tuple[int, int]:
    """The spot of a place inside a scalar that begins at line and column, in whichever style it is written."""
    lines = text.split("\n")
    opening = lines[line - 1][column - 1 :]
    if opening[:1] not in (">", "|"):
        quoted = 1 if opening[:1] in ("'", '"') else 0
        return (line, column + quoted + inner_column - 1) if inner_line == 1 else (line + inner_line - 1, inner_column)
    if opening[:1] == "|":
        indent = len(lines[line]) - len(lines[line].lstrip())
        return line + inner_line, indent + inner_column
    # Folded: each line break of the source is one blank of the text.
    left = inner_column
    for number in range(line, len(lines)):
        bare = lines[number].strip()
        if left <= len(bare) + 1:
            return number + 1, len(lines[number]) - len(lines[number].lstrip()) + left
        left -= len(bare) + 1
    return line, column
