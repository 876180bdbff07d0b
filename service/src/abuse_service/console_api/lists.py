"""Lists, as operators read and change them. Each change is an event in the log."""

import re
from typing import Any

import msgspec

from abuse_service.console_api.instants import iso
from abuse_service.decisions.lists import MOST_ENTRIES, Entry, canonical, name_entry
from abuse_service.decisions.standing import ListChange
from abuse_service.errors import BadRequest, NotFound, Unprocessable
from abuse_service.events.event import LIST_CHANGED, OWN_SOURCE, Event
from abuse_service.flow import Flow
from abuse_service.policy.vocabulary import OWN_LISTS

_encode = msgspec.json.Encoder().encode
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST_MS = 10 * 365 * 86_400_000
_LONGEST_REASON = 1024


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator wants of a list. ``expires`` is a number with ``m``, ``h`` or ``d``; without it, never."""

    entry: str
    reason: str
    expires: str | None = None


def show_lists(flow: Flow) -> list[dict[str, Any]]:
    """Every list there is, with the number of its entries."""
    counted: dict[str, int] = dict.fromkeys(sorted(_names(flow)), 0)
    for entry in _entries(flow):
        counted[entry.list_name] = counted.get(entry.list_name, 0) + 1
    return [{"list": name, "meaning": OWN_LISTS.get(name, ""), "entries": count} for name, count in counted.items()]


def show_list(flow: Flow, list_name: str) -> list[dict[str, Any]]:
    """The entries of one list, as they were written. Raises `NotFound`."""
    name = _known(flow, list_name)
    now_ms = flow.now_ms()
    return [entry_view(flow, entry, now_ms) for entry in _entries(flow) if entry.list_name == name]


async def change_list(flow: Flow, list_name: str, change: str, body: bytes, actor: str) -> dict[str, Any]:
    """Add or remove an entry. Raises `NotFound`, `BadRequest` or `Unprocessable`; then nothing changed."""
    name = _known(flow, list_name)
    wish = _read(body)
    try:
        key = name_entry(flow.judge.standing.namer, wish.entry)
    except ValueError as error:
        raise Unprocessable(str(error), path="entry") from None
    now_ms = flow.now_ms()
    lists = flow.judge.standing.lists
    if change == "added" and len(lists) >= MOST_ENTRIES:
        lists.forget_expired(now_ms)
        if len(lists) >= MOST_ENTRIES:
            raise Unprocessable(f"lists hold {MOST_ENTRIES} entries at most together; remove some", path="entry")
    if change == "removed":
        _require_entry(flow, name, key)
    said = ListChange(
        list_name=name,
        entry=wish.entry.strip(),
        change=change,
        reason=wish.reason[:_LONGEST_REASON],
        actor=actor,
        expires_at=None if wish.expires is None else now_ms + _length_ms(wish.expires),
    )
    await flow.tell(Event(LIST_CHANGED, OWN_SOURCE, now_ms, now_ms, _encode(said), entities=(key,)))
    return {"list": name, "change": change, "expires_at": said.expires_at and iso(said.expires_at)}


def _require_entry(flow: Flow, name: str, key: bytes) -> None:
    if name in flow.judge.standing.lists.index.get(key, ()):
        return
    if name in flow.judge.named.get(key, ()):
        raise BadRequest("the policy names this entry; take it out of the policy file", path="entry")
    raise NotFound(f"no such entry is in the list {name}", path="entry")


def _read(body: bytes) -> Wish:
    try:
        wish = msgspec.json.decode(body, type=Wish)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected entry and reason: {error}") from None
    if not wish.reason.strip():
        raise Unprocessable("expected a reason", path="reason")
    return wish


def _length_ms(text: str) -> int:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    length_ms = int(found[1]) * _UNITS_MS[found[2]] if found else 0
    if not 0 < length_ms <= _LONGEST_MS:
        raise Unprocessable("expected a time such as 90m, 12h or 7d", path="expires")
    return length_ms


def _names(flow: Flow) -> set[str]:
    return {canonical(name) for name in (*OWN_LISTS, *flow.judge.policy.document.lists)}


def _known(flow: Flow, list_name: str) -> str:
    name = canonical(list_name)
    names = _names(flow) | {entry.list_name for entry in flow.judge.standing.lists.entries()}
    if name not in names:
        raise NotFound(f"there is no such list; a policy names further ones; there are {', '.join(sorted(names))}")
    return name


def _entries(flow: Flow) -> list[Entry]:
    named = [entry for entries in flow.judge.named.values() for entry in entries.values()]
    return [*named, *flow.judge.standing.lists.entries()]


def entry_view(flow: Flow, entry: Entry, now_ms: int) -> dict[str, Any]:
    """An entry as it was written, with who wrote it, when and why."""
    return {
        "entry": entry.text or _written(flow, entry),
        "kind": entry.kind,
        "reason": entry.reason,
        "actor": entry.actor,
        "added_at": iso(entry.added_at_ms) if entry.position else None,
        "expires_at": None if entry.expires_at_ms is None else iso(entry.expires_at_ms),
        "is_expired": not entry.holds(now_ms),
        "position": entry.position or None,
    }


def _written(flow: Flow, entry: Entry) -> str:
    """What the operator wrote, from the log: states hold no personal value."""
    for stored in flow.event_log.read(entry.position - 1, 1):
        if stored.event.type == LIST_CHANGED:
            return msgspec.json.decode(stored.event.body, type=ListChange).entry
    return f"{entry.kind}:{entry.key.hex()}"
