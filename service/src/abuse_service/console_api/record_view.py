"""A record, section by section, as people and programs read it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from abuse_service.console_api.instants import iso, iso_or_none
from abuse_service.decisions.lists import BLOCKED, TRUSTED, UNBLOCKED, Entry
from abuse_service.identities import facts
from abuse_service.identities.cases import group_cases
from abuse_service.identities.fold_requests import DAY_MS, HOUR_MS
from abuse_service.identities.merge import flatten, newest, newest_with_stamp
from abuse_service.identities.networks import Seen, sightings
from abuse_service.identities.record import Block, Credits, Record, Spend, Stripe
from abuse_service.identities.spend_rows import read_spend
from abuse_service.identities.tenure import Ended, Tenure, tenures

NO_LISTS: Mapping[str, Entry] = {}


def record_view(record: Record, *, ended: Ended, listed: Mapping[str, Entry] = NO_LISTS) -> dict[str, Any]:
    """The record. Two states of "blocked" stand side by side: the cloud's, and what this service was told of itself."""
    return {
        "profile": flatten(record.profile),
        "signup": {name: values[0][1] for name, values in sorted(record.signup.items())},
        "signup_conflicts": {
            name: [value for _, value in values[1:]] for name, values in sorted(record.signup.items()) if values[1:]
        },
        "emails": [{"at": iso(stamp[0]), "email": email} for stamp, email in record.emails],
        "networks": {
            "addresses": _networks(record.networks.addresses, ("ip_address", "geo_country", "geo_city")),
            "clients": _networks(record.networks.clients, ("ja4_digest", "user_agent")),
        },
        "checks": [{"at": iso(stamp[0])} | _said(check) for stamp, check in record.checks],
        "is_blocked": facts.is_blocked(record),
        "blocked_by_cloud": _blocked_by_cloud(record),
        "restricted_by_service": _restricted_by_service(record, listed),
        "blocks": [_block(block) for block in record.blocks],
        "memberships": {name: _tenure(tenure) for name, tenure in sorted(tenures(record, ended).items())},
        "credits": _credits(record, record.credits),
        "pass": flatten(record.pass_layers),
        "has_pass": facts.has_pass(record),
        "pass_history": [{"at": iso(stamp[0]), **said} for stamp, said in record.pass_history],
        "stripe": _stripe(record, record.stripe),
        "spend": _spend(record.spend),
        "is_paying": facts.is_paying(record, ended),
        "deleted_at": iso(record.deleted[0]) if record.deleted else None,
        "event_counts": dict(sorted(record.event_counts.items())),
    }


def _networks(seen: Seen, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {name: said for name, said in zip(names, one.said, strict=False) if said}
        | {"first_seen_at": iso(one.first_seen_ms), "last_seen_at": iso(one.last_seen_ms), "events": one.events}
        for one in sightings(seen)
    ]


def _block(block: Block) -> dict[str, Any]:
    return {
        "at": iso(block.stamp[0]),
        "is_blocked": block.is_blocked,
        "reason": block.reason,
        "actor_email": block.actor_email,
    }


def _blocked_by_cloud(record: Record) -> dict[str, Any]:
    """The cloud's own state: its newest event, or without one its newest snapshot."""
    if record.blocks:
        return {"said_by": "event"} | _block(record.blocks[-1])
    said = newest_with_stamp(record.profile, "is_blocked")
    if said is None:
        return {"said_by": None, "is_blocked": False}
    return {"said_by": "snapshot", "is_blocked": said[1], "at": iso(said[0][0])}


def _restricted_by_service(record: Record, listed: Mapping[str, Entry]) -> dict[str, Any]:
    """The service's own state, as people set it by lists. ``has_exception``: unblocked, so the policy holds back."""
    entry = listed.get(BLOCKED)
    return {
        "is_restricted": entry is not None,
        "is_trusted": TRUSTED in listed,
        "has_exception": UNBLOCKED in listed or facts.was_unblocked(record),
        "lists": [
            {
                "list": one.list_name,
                "by": one.kind,
                "reason": one.reason,
                "actor": one.actor,
                "since": iso_or_none(one.added_at_ms or None),
                "expires_at": iso_or_none(one.expires_at_ms),
            }
            for _, one in sorted(listed.items())
        ],
    }


def _tenure(tenure: Tenure) -> dict[str, Any]:
    said = _said(tenure)
    times = {"since": said.pop("since_ms", None), "until": said.pop("until_ms", None)}
    return said | {name: iso_or_none(at_ms) for name, at_ms in times.items()}


def _credits(record: Record, credits: Credits) -> dict[str, Any]:
    return {
        "purchases": credits.purchases,
        "paid_microdollars": credits.paid_microdollars,
        "said_paid_microdollars": credits.said_paid_microdollars,
        "grants": credits.grants,
        "free_microdollars": credits.free_microdollars,
        "first_paid_at": iso_or_none(credits.first_paid_at_ms),
        "reported_total_microdollars": newest(credits.reported_total, "microdollars"),
        "unexplained_microdollars": facts.unexplained_microdollars(record),
        "history": [{"at": iso(stamp[0])} | _said(purchase) for stamp, purchase in credits.history],
    }


def _stripe(record: Record, stripe: Stripe) -> dict[str, Any]:
    return {
        "customers": stripe.customers,
        "payment_methods": facts.payment_methods(record),
        "cards": {
            fingerprint: flatten(card.said)
            | {"first_seen_at": iso(card.first_seen_ms), "last_seen_at": iso(card.last_seen_ms)}
            for fingerprint, card in sorted(stripe.cards.items())
        },
        "charges": [{"at": iso(stamp[0])} | _said(charge) for stamp, charge in stripe.charges],
        "failures": dict(sorted(stripe.failures.items())),
        "disputes": group_cases(stripe.disputes, stripe.pairs),
        "early_fraud_warnings": group_cases(stripe.warnings, stripe.pairs),
        "payments": stripe.payments,
        "paid_amounts": dict(sorted(stripe.paid_amounts.items())),
    }


def _spend(spend: Spend) -> dict[str, Any]:
    said = msgspec.structs.asdict(spend)
    said["hours"] = {iso(hour * HOUR_MS): microdollars for hour, microdollars in read_spend(spend.hours)}
    said["days"] = {iso(day * DAY_MS)[:10]: microdollars for day, microdollars in read_spend(spend.days)}
    return said


def _said(one: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(one).items() if value is not None}
