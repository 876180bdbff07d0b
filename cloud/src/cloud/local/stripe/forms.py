"""Stripe's form encoding: `items[0][price]=p` is a list of one object."""

import re
from typing import Any
from urllib.parse import parse_qsl

from cloud.local.stripe.faults import Fault, invalid

Json = dict[str, Any]


def decode(encoded: str) -> Json:
    """Return the parameters as the caller meant them; all values are texts."""
    root: Json = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        path = [name.partition("[")[0], *re.findall(r"\[([^\]]*)\]", name)]
        put(root, path, value)
    return {key: listed(value) for key, value in root.items()}


def put(level: Json, path: list[str], value: str) -> None:
    """Put the value where its name says; one name is a value or an object, never both."""
    for key in path[:-1]:
        inner = level.setdefault(key or str(len(level)), {})
        if not isinstance(inner, dict):
            raise invalid(f"Invalid request: {path[0]} is given as a value and as an object", param=path[0])
        level = inner
    if isinstance(level.get(path[-1]), dict):
        raise invalid(f"Invalid request: {path[0]} is given as a value and as an object", param=path[0])
    level[path[-1] or str(len(level))] = value


def listed(value: Any) -> Any:
    """Return what was numbered as a list."""
    if not isinstance(value, dict):
        return value
    inner = {key: listed(item) for key, item in value.items()}
    return [inner[key] for key in sorted(inner, key=int)] if inner and all(map(str.isdigit, inner)) else inner


def check(params: Json, *known: str) -> None:
    """Refuse a parameter that the operation does not have, as Stripe does."""
    unknown = sorted(params.keys() - {*known, "expand"})
    if unknown:
        raise invalid(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])


def number(params: Json, name: str, default: int | None = None) -> int:
    found = params.get(name, default)
    try:
        return int(found)  # type: ignore[arg-type]  # what is no number is refused below
    except (TypeError, ValueError):
        raise wanting(name) if found is None else invalid(f"Invalid integer: {found}", param=name) from None


def text(params: Json, name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or not found:
        raise wanting(name)
    return found


def flag(params: Json, name: str) -> bool:
    return params.get(name) == "true"


def wanting(name: str) -> Fault:
    return invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
