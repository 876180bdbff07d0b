"""Stripe's events folded into a record. Whole events and flat slices read alike (CONTRACT, "events")."""

import bisect
from collections.abc import Callable
from typing import Any

from abuse_service.events.event import Event
from abuse_service.events.stripe import StripeContent
from abuse_service.identities.merge import Layer, add_bounded, has_room, merge_newest
from abuse_service.identities.record import Record
from abuse_service.identities.stamp import Stamp

_MOST_KEPT = 50
_LONGEST_TEXT = 255
_LARGEST_NUMBER = 2**53
_CARD_FIELDS = ("brand", "funding", "country", "last4")
_CASE_FIELDS = ("amount", "currency", "reason", "status", "fraud_type", "actionable")


def _fold_method(record: Record, event: Event, content: StripeContent, stamp: Stamp) -> None:
    _note_customer(record, content)
    card = content.subject.card
    fields = _said({name: card.get(name) for name in _CARD_FIELDS}) if isinstance(card, dict) else {}
    fields["is_attached"] = event.type.endswith("attached")
    _merge_case(record.stripe.methods, content.payment_method or "unnamed", stamp, fields)


def _fold_failure(record: Record, event: Event, content: StripeContent, stamp: Stamp) -> None:
    _note_customer(record, content)
    code = content.decline_code or "unknown"
    failures = record.stripe.failures
    failures[code] = failures.get(code, 0) + 1


def _fold_dispute(record: Record, event: Event, content: StripeContent, stamp: Stamp) -> None:
    fields = _case_fields(content)
    if event.type.endswith("withdrawn"):
        fields["funds_withdrawn"] = True
    _merge_case(record.stripe.disputes, _case_name(content), stamp, fields or {"reported": True})


def _fold_warning(record: Record, event: Event, content: StripeContent, stamp: Stamp) -> None:
    _merge_case(record.stripe.warnings, _case_name(content), stamp, _case_fields(content) or {"reported": True})


def _fold_payment(record: Record, event: Event, content: StripeContent, stamp: Stamp) -> None:
    _note_customer(record, content)
    record.stripe.payments += 1
    if content.amount is not None:
        amounts = record.stripe.paid_amounts
        currency = content.currency or "unknown"
        amounts[currency] = add_bounded(amounts.get(currency, 0), content.amount)


def _case_fields(content: StripeContent) -> dict[str, Any]:
    fields = _said({name: getattr(content.subject, name) for name in _CASE_FIELDS})
    if content.charge:
        fields["charge"] = content.charge
    return fields


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Texts and numbers that can be kept; nothing of the rest, for Stripe's data comes unchecked."""
    said: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, str) and value:
            said[name] = value[:_LONGEST_TEXT]
        elif isinstance(value, int) and abs(value) < _LARGEST_NUMBER:
            said[name] = value
    return said


def _case_name(content: StripeContent) -> str:
    """What a dispute or a warning is known by: the charge it is about, else its own id."""
    own = content.subject.id if isinstance(content.subject.id, str) else "unnamed"
    return content.charge or content.payment_intent or own[:255]


def _note_customer(record: Record, content: StripeContent) -> None:
    customer = content.customer
    customers = record.stripe.customers
    if customer and customer not in customers:
        bisect.insort(customers, customer)
        del customers[_MOST_KEPT:]


def _merge_case(cases: dict[str, list[Layer]], name: str, stamp: Stamp, fields: dict[str, Any]) -> None:
    if has_room(cases, name, most=_MOST_KEPT):
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
