"""Stripe's events folded into a record. Whole events and flat slices read alike (CONTRACT, "events")."""

import bisect
from collections.abc import Callable
from typing import Any

import msgspec

from abuse_client.contract import StripeEventData
from abuse_service.events.event import Event
from abuse_service.identities.merge import add_bounded, merge_newest
from abuse_service.identities.record import Record
from abuse_service.identities.stamp import Stamp

_MOST_KEPT = 50
_generic = msgspec.json.Decoder(dict[str, Any])

_METHOD_FIELDS = ("brand", "funding", "country", "last4")
_CASE_FIELDS = ("amount", "currency", "reason", "status", "fraud_type", "actionable", "charge", "payment_intent")


def _subject(event: Event, data: StripeEventData) -> dict[str, Any]:
    """The Stripe object that the event is about."""
    whole = (data.data or {}).get("object")
    if isinstance(whole, dict):
        return whole
    flat = _generic.decode(event.body).get("data")
    return flat if isinstance(flat, dict) else {}


def _fold_method(record: Record, event: Event, data: StripeEventData, stamp: Stamp) -> None:
    _note_customers(record, event)
    subject = _subject(event, data)
    method = _id_in(event, "payment_method") or "unnamed"
    card = subject.get("card")
    details = {name: card[name] for name in _METHOD_FIELDS if name in card} if isinstance(card, dict) else {}
    fields = details | {"is_attached": event.type.endswith("attached")}
    _merge_case(record.stripe.methods, method, stamp, fields)


def _fold_failure(record: Record, event: Event, data: StripeEventData, stamp: Stamp) -> None:
    _note_customers(record, event)
    subject = _subject(event, data)
    outcome = subject.get("outcome")
    codes = (
        data.decline_code,
        subject.get("decline_code"),
        outcome.get("reason") if isinstance(outcome, dict) else None,
        subject.get("failure_code"),
    )
    code = next((code for code in codes if isinstance(code, str) and code), "unknown")[:64]
    failures = record.stripe.failures
    failures[code] = failures.get(code, 0) + 1


def _fold_dispute(record: Record, event: Event, data: StripeEventData, stamp: Stamp) -> None:
    subject = _subject(event, data)
    fields = _case_fields(subject) | ({"funds_withdrawn": True} if event.type.endswith("withdrawn") else {})
    _merge_case(record.stripe.disputes, _case_name(event, subject), stamp, fields or {"reported": True})


def _fold_warning(record: Record, event: Event, data: StripeEventData, stamp: Stamp) -> None:
    subject = _subject(event, data)
    fields = _case_fields(subject) or {"reported": True}
    _merge_case(record.stripe.warnings, _case_name(event, subject), stamp, fields)


def _fold_payment(record: Record, event: Event, data: StripeEventData, stamp: Stamp) -> None:
    _note_customers(record, event)
    subject = _subject(event, data)
    amount = subject.get("amount_received") or subject.get("amount")
    currency = str(subject.get("currency") or "unknown")[:8]
    record.stripe.payments += 1
    if isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) < 2**53:
        amounts = record.stripe.paid_amounts
        amounts[currency] = add_bounded(amounts.get(currency, 0), amount)


def _case_fields(subject: dict[str, Any]) -> dict[str, Any]:
    plain = {name: subject.get(name) for name in _CASE_FIELDS}
    return {name: value for name, value in plain.items() if isinstance(value, str | int | bool) and value != ""}


def _case_name(event: Event, subject: dict[str, Any]) -> str:
    """What a dispute or a warning is known by: the charge it is about, else its own id."""
    return _id_in(event, "charge") or _id_in(event, "payment_intent") or str(subject.get("id") or "unnamed")[:255]


def _id_in(event: Event, kind: str) -> str | None:
    return next((join.partition(":")[2] for join in event.joins if join.startswith(f"{kind}:")), None)


def _note_customers(record: Record, event: Event) -> None:
    customer = _id_in(event, "customer")
    customers = record.stripe.customers
    if customer and customer not in customers and len(customers) < _MOST_KEPT:
        bisect.insort(customers, customer)


def _merge_case(cases: dict[str, Any], name: str, stamp: Stamp, fields: dict[str, Any]) -> None:
    if name in cases or len(cases) < _MOST_KEPT:
        merge_newest(cases.setdefault(name, []), stamp, fields)


STRIPE_FOLDS: dict[str, Callable[[Record, Event, Any, Stamp], None]] = {
    "stripe.payment_method.attached": _fold_method,
    "stripe.payment_method.detached": _fold_method,
    "stripe.charge.failed": _fold_failure,
    "stripe.charge.dispute.created": _fold_dispute,
    "stripe.charge.dispute.funds_withdrawn": _fold_dispute,
    "stripe.radar.early_fraud_warning.created": _fold_warning,
    "stripe.payment_intent.succeeded": _fold_payment,
}
