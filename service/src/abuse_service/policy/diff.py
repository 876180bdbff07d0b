"""What differs between two policies, in words."""

from collections.abc import Iterator
from typing import Any

import msgspec

from abuse_service.policy.document import Document

_ONE = {"thresholds": "threshold", "lists": "list", "features": "feature", "rules": "rule", "trust": "trust"}
_WORDS = {"when": "condition"}


def diff(old: Document, new: Document) -> list[str]:
    """A line for each difference, section by section; empty where both mean the same."""
    before, after = (msgspec.to_builtins(document) for document in (old, new))
    return [line for section in after for line in _section(section, before[section], after[section])]


def _section(section: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    one = _ONE.get(section, section)
    if section in ("rules", "trust"):
        yield from _named(one, {entry["id"]: entry for entry in old}, {entry["id"]: entry for entry in new})
        if [entry["id"] for entry in old if entry in new] != [entry["id"] for entry in new if entry in old]:
            yield f"{section}: in another order"
    elif isinstance(new, dict) and section in _ONE:
        yield from _named(one, old, new)
    else:
        yield from _change(section, old, new)


def _named(one: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield f"{one} {name}: removed{_title(old[name])}"
        elif name not in old:
            said = new[name]
            yield (
                f"{one} {name}: added{_title(said)}" if isinstance(said, dict) else f"{one} {name}: added, {_say(said)}"
            )
        else:
            yield from _change(f"{one} {name}", old[name], new[name])


def _change(place: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _change(f"{place}: {_WORDS.get(key, key)}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        gone = [_entry(entry) for entry in old if entry not in new]
        more = [_entry(entry) for entry in new if entry not in old]
        parts = [f"{', '.join(gone)} removed"] if gone else []
        parts += [f"{', '.join(more)} added"] if more else []
        yield f"{place}: {'; '.join(parts) or 'in another order'}"
    else:
        yield f"{place}: from {_say(old)} to {_say(new)}"


def _entry(entry: Any) -> str:
    if isinstance(entry, dict):
        return str(entry.get("name") or entry.get("id") or entry)
    return str(entry)


def _title(said: Any) -> str:
    title = said.get("title") if isinstance(said, dict) else None
    return f", {title}" if title else ""


def _say(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_entry, value)) or "empty"
    return f"`{value}`" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
