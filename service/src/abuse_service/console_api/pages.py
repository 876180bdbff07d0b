"""Pages of persons as JSON: who was found, a timeline, who read what."""

from collections.abc import Sequence

import msgspec

from abuse_client.contract import blank_controls
from abuse_service.console_api.instants import iso
from abuse_service.decisions.decision import Decision
from abuse_service.events.entity import KIND_NAMES, EntityKey
from abuse_service.events.event import Stored
from abuse_service.identities import facts
from abuse_service.identities.state import IdentityState

_decision = msgspec.json.Decoder(Decision).decode


class FoundIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that a search found. ``verdict`` is the newest decision's, ``email`` the newest address."""

    identity_key: str
    first_seen_at: str
    last_seen_at: str
    is_blocked: bool
    verdict: str | None
    email: str | None


class SearchPage(msgspec.Struct, frozen=True):
    """Who fits, each once, in an order that stays. Without ``next`` it is the last page; any page may be short."""

    identities: list[FoundIdentity]
    next: str | None


class NamedEntity(msgspec.Struct, frozen=True):
    """An entity by its kind and its key, which is no personal value."""

    kind: str
    entity: str


class Outcome(msgspec.Struct, frozen=True):
    """What was decided on a request, in short; the decision itself has the reasons."""

    request_id: int
    verdict: str
    action: str | None
    risk_score: float
    signals: tuple[str, ...]


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an identity. ``is_joined``: it named nobody, and a Stripe id told whose it is."""

    position: int
    type: str
    source: str
    occurred_at: str
    received_at: str
    is_joined: bool
    entities: list[NamedEntity]
    decision: Outcome | None
    body: msgspec.Raw


class TimelinePage(msgspec.Struct, frozen=True):
    """Events, newest first. Without ``next`` it is the last page; any page may be short."""

    identity_key: str
    events: list[TimelineEvent]
    next: str | None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody read what names persons. ``identity_key`` is of the person, as far as it is still known."""

    at: str
    actor: str
    route: str
    identity_key: str | None
    entities: list[NamedEntity]
    position: int


class AuditPage(msgspec.Struct, frozen=True):
    """Who read what, newest first."""

    readings: list[Reading]
    next: str | None


def found_identity(state: IdentityState) -> FoundIdentity:
    """A line about an identity."""
    emails = state.record.emails
    return FoundIdentity(
        identity_key=state.key,
        first_seen_at=iso(state.first_seen_ms),
        last_seen_at=iso(state.last_seen_ms),
        is_blocked=facts.is_blocked(state.record),
        verdict=state.decisions[-1].verdict if state.decisions else None,
        email=emails[-1][1] if emails else None,
    )


def timeline_event(stored: Stored) -> TimelineEvent:
    """An event as a timeline shows it."""
    event = stored.event
    return TimelineEvent(
        position=stored.position,
        type=event.type,
        source=event.source,
        occurred_at=iso(event.occurred_at_ms),
        received_at=iso(event.received_at_ms),
        is_joined=event.identity_entity is None,
        entities=named_entities(event.entities),
        decision=_outcome(event.outcome) if event.outcome else None,
        body=msgspec.Raw(blank_controls(event.body)),
    )


def named_entities(keys: Sequence[EntityKey]) -> list[NamedEntity]:
    """Entities by kind and key."""
    return [NamedEntity(KIND_NAMES[key[:1]], key.hex()) for key in keys]


def _outcome(outcome: bytes) -> Outcome:
    said = _decision(outcome)
    return Outcome(said.request_id, said.verdict, said.action, said.risk_score, said.signals)
