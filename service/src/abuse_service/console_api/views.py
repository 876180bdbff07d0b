"""What is kept, as people and programs read it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from abuse_client.contract import blank_controls
from abuse_service.console_api.instants import iso
from abuse_service.console_api.record_view import record_view
from abuse_service.decisions.decision import Decision
from abuse_service.decisions.lists import Entry
from abuse_service.events.entity import KIND_NAMES
from abuse_service.events.event import Event, Stored
from abuse_service.events.log import Rejected
from abuse_service.features.catalog import Catalog
from abuse_service.features.declaration import Entity
from abuse_service.identities.state import IdentityState
from abuse_service.identities.tenure import Ended

_decision = msgspec.json.Decoder(Decision).decode


def identity_view(
    state: IdentityState, catalog: Catalog, now_ms: int, *, ended: Ended, listed: Mapping[str, Entry]
) -> dict[str, Any]:
    """The whole record of an identity, its own features as of now, and its newest decisions.

    ``ended`` says when an organization was deleted, ``listed`` are the entries of lists that name the identity.
    """
    own = {name: feature for name, feature in catalog.features.items() if feature.declaration.entity is Entity.USER}
    return {
        "identity_key": state.key,
        "first_seen_at": iso(state.first_seen_ms),
        "last_seen_at": iso(state.last_seen_ms),
        "record": record_view(state.record, ended=ended, listed=listed),
        "features": {name: feature.read(state.features, now_ms) for name, feature in own.items()},
        "links": [
            {
                "kind": KIND_NAMES[key[:1]],
                "entity": key.hex(),
                "is_strong": strong,
                "first_seen_at": iso(seen[0]),
                "last_seen_at": iso(seen[1]),
            }
            for links, strong in ((state.strong, True), (state.weak, False))
            for key, seen in sorted(links.items())
        ],
        "decisions": [
            {
                "request_id": line.request_id,
                "decided_at": iso(line.decided_at_ms),
                "verdict": line.verdict,
                "action": line.action,
                "signals": list(line.signals),
            }
            for line in reversed(state.decisions)
        ],
    }


def event_view(stored: Stored) -> dict[str, Any]:
    """An event as it was kept; ``body`` is the JSON that came, control characters that JSON forbids as blanks."""
    event = stored.event
    return {
        "position": stored.position,
        "type": event.type,
        "source": event.source,
        "occurred_at": iso(event.occurred_at_ms),
        "received_at": iso(event.received_at_ms),
        "identity_key": event.identity,
        "joins": [{"kind": KIND_NAMES[key[:1]], "entity": key.hex()} for key in event.joins],
        "entities": [{"kind": KIND_NAMES[key[:1]], "entity": key.hex()} for key in event.entities],
        "request_id": event.request_id,
        "body": msgspec.Raw(blank_controls(event.body)),
    }


def decision_view(event: Event) -> dict[str, Any]:
    """The decision that an event holds."""
    return show_decision(_decision(event.outcome or b"{}")) | {"event_type": event.type}


def show_decision(decision: Decision) -> dict[str, Any]:
    """A decision with all that it read."""
    view: dict[str, Any] = msgspec.to_builtins(decision)
    return view | {"decided_at": iso(decision.decided_at_ms)}


def rejected_view(rejected: Rejected) -> dict[str, Any]:
    """A rejected event with its reason."""
    return {
        "rejected_id": rejected.rejected_id,
        "received_at": iso(rejected.received_at_ms),
        "source": rejected.source,
        "index": rejected.index,
        "path": rejected.path,
        "message": rejected.message,
        "state": rejected.state,
        "body": rejected.body.decode(errors="replace"),
    }
