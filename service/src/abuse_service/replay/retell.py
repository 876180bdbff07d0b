"""One stored event told again: the same steps as when it came."""

import msgspec

from abuse_service.decisions.decision import Decision
from abuse_service.events.content import content_of
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import ENFORCEMENT_CHANGED, OWN_SOURCE, Event
from abuse_service.features.projection import Projection
from abuse_service.identities.state import Decided

_decision = msgspec.json.Decoder(Decision).decode


def retell(projection: Projection, position: int, event: Event) -> None:
    """Fold a stored event, and what its decision left behind."""
    projection.apply(position, event, content_of(event))
    projection.deliver_all()
    if event.outcome is not None and event.identity_entity is not None:
        note_decision(projection, event.identity_entity, _decision(event.outcome))


def note_decision(projection: Projection, entity: EntityKey, decision: Decision) -> None:
    """What a decision leaves behind: a line with its identity, and what it reserves."""
    projection.note_decision(entity, line_of(decision))
    if decision.reserved_microdollars:
        projection.reservations.reserve(
            decision.request_id, entity, decision.reserved_microdollars, decision.reserved_until_ms
        )


def line_of(decision: Decision) -> Decided:
    """The line that an identity keeps about a decision."""
    return Decided(decision.decided_at_ms, decision.request_id, decision.verdict, decision.action, decision.signals)


def enforcement_of(event: Event) -> bool | None:
    """What an event says about the enforcement switch; ``None`` for every other event."""
    if event.type != ENFORCEMENT_CHANGED or event.source != OWN_SOURCE:
        return None
    said = msgspec.json.decode(event.body)
    return bool(said["is_enforced"])
