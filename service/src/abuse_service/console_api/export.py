"""Everything that is held about one person, a page at a time: for him who asks, and for whoever must answer."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from abuse_service.console_api.erasures import Desk as ErasingDesk
from abuse_service.console_api.erasures import show_erasure
from abuse_service.console_api.lists import entry_view
from abuse_service.console_api.query import Query, cursor_of
from abuse_service.console_api.reading import MOST_ROWS, Persons
from abuse_service.console_api.views import decision_view, event_view, rejected_view
from abuse_service.errors import NotFound
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Stored
from abuse_service.events.log import Quarantine
from abuse_service.identities.timeline import ENTRY_BYTES, Wish

_REJECTED_AT_ONCE = 100


class Desk(ErasingDesk, Protocol):
    """What an export needs of a service."""

    quarantine: Quarantine

    def speaks_of(self, entity: EntityKey) -> Callable[[bytes], bool]:
        """Tells of a rejected event whether it speaks of one identity."""
        ...


class ExportPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what is held about a person, his events newest first. ``held`` stands on the first: all the rest."""

    identity_key: str
    held: dict[str, Any] | None
    events: list[dict[str, Any]]
    next: str | None


async def export_person(desk: Desk, persons: Persons, key: str, query: Query) -> ExportPage:
    """A page of everything about an identity. Raises `NotFound` or `BadRequest`."""
    before = query.cursor("cursor", ENTRY_BYTES)
    most = query.size("limit", default=MOST_ROWS, most=MOST_ROWS)
    entity, state = persons.open("export", key)
    page, stored = persons.read_page(entity, Wish(before=before, most=most))
    held = await _held(desk, persons, key, entity) if before is None else None
    return ExportPage(identity_key=state.key, held=held, events=list(map(_event, stored)), next=cursor_of(page.before))


async def _held(desk: Desk, persons: Persons, key: str, entity: EntityKey) -> dict[str, Any]:
    flow = desk.flow
    own = {entity, *desk.eraser.own_entities(entity)}
    listed = [entry for entry in flow.judge.standing.lists.entries() if entry.key in own]
    return {
        "identity": persons.record(key),
        "cluster": persons.cluster(key),
        "lists": [{"list": entry.list_name} | entry_view(flow, entry, flow.now_ms()) for entry in listed],
        "rejected": await _rejected(desk, entity),
        "erasure": _erasure(desk, key),
    }


async def _rejected(desk: Desk, entity: EntityKey) -> list[dict[str, Any]]:
    """The rejected events that speak of him, open and closed."""
    speaks, found, behind = desk.speaks_of(entity), [], 0
    while rows := desk.kept_erasures.rejected_behind(behind, _REJECTED_AT_ONCE):
        behind = rows[-1][0]
        theirs = [rejected_id for rejected_id, body in rows if speaks(body)]
        found += [rejected_view(desk.quarantine.find_rejected(rejected_id)) for rejected_id in theirs]
        await asyncio.sleep(0)
    return found


def _erasure(desk: Desk, key: str) -> Any:
    try:
        return show_erasure(desk, key)
    except NotFound:
        return None


def _event(stored: Stored) -> dict[str, Any]:
    event = stored.event
    view = event_view(stored) | {"facts": event.facts}
    return view | {"decision": decision_view(event)} if event.outcome is not None else view
