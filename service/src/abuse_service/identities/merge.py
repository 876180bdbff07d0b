"""Field by field, the newest value wins: merged so that any order of arrival gives the same result."""

import bisect
from typing import Any

from abuse_service.identities.stamp import Stamp

Layer = tuple[Stamp, dict[str, Any]]
"""Fields that one event set last, with its stamp. A record holds a handful of layers, oldest first."""

_BOUND = 2**62
_LONGEST_TEXT = 1024


def clip(value: Any) -> Any:
    """Text cut to what a record keeps; the whole of it stays in the log."""
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def add_bounded(total: int, value: int) -> int:
    """The sum, held within 62 bits, so that no sender can make a total that can't be stored."""
    total += value
    return total if -_BOUND <= total <= _BOUND else max(-_BOUND, min(_BOUND, total))


def merge_newest(layers: list[Layer], stamp: Stamp, fields: dict[str, Any]) -> None:
    """Lay ``fields`` into ``layers``: each stays with the newest stamp that set it. Empty layers vanish."""
    place = len(layers)
    while place and layers[place - 1][0] > stamp:
        place -= 1
    for _, newer in layers[place:]:
        for name in newer:
            fields.pop(name, None)
    if not fields:
        return
    for _, older in layers[:place]:
        for name in fields.keys() & older.keys():
            del older[name]
    layers.insert(place, (stamp, fields))
    if any(not layer for _, layer in layers):
        layers[:] = [layer for layer in layers if layer[1]]


def newest(layers: list[Layer], name: str) -> Any:
    """The value of one field, or ``None``."""
    for _, fields in reversed(layers):
        if name in fields:
            return fields[name]
    return None


def newest_with_stamp(layers: list[Layer], name: str) -> tuple[Stamp, Any] | None:
    """The value of one field with the stamp that set it."""
    for stamp, fields in reversed(layers):
        if name in fields:
            return stamp, fields[name]
    return None


def flatten(layers: list[Layer]) -> dict[str, Any]:
    """All fields with their newest values, by name."""
    flat = {name: value for _, fields in layers for name, value in fields.items()}
    return dict(sorted(flat.items()))


def keep_distinct(entries: list[Any], entry: Any, *, most: int, newest_first: bool = True) -> None:
    """Insert ``entry`` (a tuple that starts with its stamp) in order, once, and keep ``most``: the newest or oldest."""
    if not entries or entries[-1][0] < entry[0]:
        # In order, as nearly always.
        if newest_first or len(entries) < most:
            entries.append(entry)
    elif entry not in entries:
        bisect.insort(entries, entry, key=_stamp_in)
    if len(entries) > most:
        del entries[0 if newest_first else -1]


def keep_last_said(entries: list[tuple[Stamp, Any]], stamp: Stamp, value: Any, *, most: int) -> None:
    """Keep each distinct value once, with the newest stamp that said it: the ``most`` newest, oldest first."""
    if entries and entries[-1][1] == value:
        # As nearly always: it was said last and is said again.
        if entries[-1][0] < stamp:
            entries[-1] = (stamp, value)
        return
    is_newest = not entries or entries[-1][0] < stamp
    for place, (known, other) in enumerate(entries):
        if other == value:
            if known >= stamp:
                return
            del entries[place]
            break
    if is_newest:
        entries.append((stamp, value))
    else:
        bisect.insort(entries, (stamp, value), key=_said_in)
    del entries[:-most]


def has_room(named: dict[str, Any], name: str, *, most: int) -> bool:
    """Whether ``name`` may stand in ``named``.

    Of too many names the smallest stay: those that came first or last would not be the same in every order.
    """
    if name in named or len(named) < most:
        return True
    largest = max(named)
    if name > largest:
        return False
    del named[largest]
    return True


def _stamp_in(entry: Any) -> Stamp:
    stamp: Stamp = entry[0]
    return stamp


def _said_in(entry: Any) -> tuple[Stamp, str]:
    # Of two values of one stamp the order must not depend on which came first.
    return entry[0], repr(entry[1])
