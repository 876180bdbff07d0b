"""What is kept, as people and programs read it."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from abuse_client.contract import blank_controls
from abuse_service.decisions.decision import Decision
from abuse_service.events.entity import KIND_NAMES
from abuse_service.events.event import Event, Stored
from abuse_service.events.log import Rejected
from abuse_service.features.catalog import Catalog
from abuse_service.features.declaration import Entity
from abuse_service.identities import facts
from abuse_service.identities.merge import Layer, flatten, newest
from abuse_service.identities.record import Record
from abuse_service.identities.state import IdentityState

_decision = msgspec.json.Decoder(Decision).decode


def iso(at_ms: int) -> str:
    """An instant for people: ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def identity_view(state: IdentityState, catalog: Catalog, now_ms: int) -> dict[str, Any]:
    """The whole record of an identity, its own features as of now, and its newest decisions."""
    own = {name: feature for name, feature in catalog.features.items() if feature.declaration.entity is Entity.USER}
    return {
        "identity_key": state.key,
        "first_seen_at": iso(state.first_seen_ms),
        "last_seen_at": iso(state.last_seen_ms),
        "record": record_view(state.record),
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


def record_view(record: Record) -> dict[str, Any]:
    """The record, section by section."""
    return {
        "profile": flatten(record.profile),
        "signup": {name: values[0][1] for name, values in sorted(record.signup.items())},
        "signup_conflicts": {
            name: [value for _, value in values[1:]] for name, values in sorted(record.signup.items()) if values[1:]
        },
        "emails": [{"at": iso(stamp[0]), "email": email} for stamp, email in record.emails],
        "is_blocked": facts.is_blocked(record),
        "blocks": [
            {
                "at": iso(block.stamp[0]),
                "is_blocked": block.is_blocked,
                "reason": block.reason,
                "actor_email": block.actor_email,
            }
            for block in record.blocks
        ],
        "memberships": dict(sorted(facts.memberships(record).items())),
        "credits": {
            "purchases": record.credits.purchases,
            "paid_microdollars": record.credits.paid_microdollars,
            "said_paid_microdollars": record.credits.said_paid_microdollars,
            "grants": record.credits.grants,
            "free_microdollars": record.credits.free_microdollars,
            "reported_total_microdollars": newest(record.credits.reported_total, "microdollars"),
        },
        "pass": flatten(record.pass_layers),
        "pass_history": [{"at": iso(stamp[0]), **said} for stamp, said in record.pass_history],
        "stripe": {
            "customers": record.stripe.customers,
            "payment_methods": _cases(record.stripe.methods),
            "failures": dict(sorted(record.stripe.failures.items())),
            "disputes": _cases(record.stripe.disputes),
            "early_fraud_warnings": _cases(record.stripe.warnings),
            "payments": record.stripe.payments,
            "paid_amounts": dict(sorted(record.stripe.paid_amounts.items())),
        },
        "spend": msgspec.structs.asdict(record.spend),
        "is_paying": facts.is_paying(record),
        "deleted_at": iso(record.deleted[0]) if record.deleted else None,
        "event_counts": dict(sorted(record.event_counts.items())),
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
    decision = _decision(event.outcome or b"{}")
    view: dict[str, Any] = msgspec.to_builtins(decision)
    return view | {"decided_at": iso(decision.decided_at_ms), "event_type": event.type}


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


def _cases(cases: dict[str, list[Layer]]) -> dict[str, dict[str, Any]]:
    return {name: flatten(layers) for name, layers in sorted(cases.items())}
