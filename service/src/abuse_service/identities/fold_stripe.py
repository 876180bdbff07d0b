"""Stripe's events folded into a record. Whole events and flat slices read alike (CONTRACT, "events")."""

import bisect
from collections.abc import Callable
from typing import Any

from abuse_service.events.event import Event
from abuse_service.events.stripe import StripeContent
from abuse_service.identities.cases import Cases, learn_pairs
from abuse_service.identities.merge import add_bounded, has_room, keep_distinct, merge_newest
from abuse_service.identities.record import MOST_HISTORY, Card, Charge, Record
from abuse_service.identities.stamp import Stamp, stamp_of

MOST_KEPT = 50
MOST_CURRENCIES = 20
_LONGEST_TEXT = 255
_LARGEST_NUMBER = 2**53
_CARD_FIELDS = ("brand", "funding", "country", "last4")
_CASE_FIELDS = ("amount", "currency", "reason", "status", "fraud_type", "actionable")


def note_customer(record: Record, customer: str | None) -> None:
    """Note that a Stripe customer is this identity."""
    customers = record.stripe.customers
    customer = customer and customer[:_LONGEST_TEXT]
    if customer and customer not in customers:
        bisect.insort(customers, customer)
        del customers[MOST_KEPT:]


def _fold_method(record: Record, event: Event, content: StripeContent) -> None:
    stamp = stamp_of(event)
    _note(record, content, stamp)
    card = _card_said(content)
    fields = card | ({"card": content.card} if content.card else {})
    fields["is_attached"] = event.type.endswith("attached")
    _merge_case(record.stripe.methods, content.payment_method or "unnamed", stamp, fields)


def _fold_failure(record: Record, event: Event, content: StripeContent) -> None:
    stamp = stamp_of(event)
    _note(record, content, stamp)
    _add(record.stripe.failures, content.decline_code or "unknown", 1, most=MOST_KEPT)
    _note_charge(record, content, stamp, is_paid=False)


def _fold_payment(record: Record, event: Event, content: StripeContent) -> None:
    stamp = stamp_of(event)
    _note(record, content, stamp)
    record.stripe.payments += 1
    if content.amount is not None:
        _add(record.stripe.paid_amounts, content.currency or "unknown", content.amount, most=MOST_CURRENCIES)
    _note_charge(record, content, stamp, is_paid=True)


def _fold_dispute(record: Record, event: Event, content: StripeContent) -> None:
    fields = _case_fields(content)
    if event.type.endswith("withdrawn"):
        fields["funds_withdrawn"] = True
    _fold_case(record, record.stripe.disputes, content, stamp_of(event), fields)


def _fold_warning(record: Record, event: Event, content: StripeContent) -> None:
    _fold_case(record, record.stripe.warnings, content, stamp_of(event), _case_fields(content))


def _fold_case(record: Record, cases: Cases, content: StripeContent, stamp: Stamp, fields: dict[str, Any]) -> None:
    _note(record, content, stamp)
    own = _own_id(content)
    learn_pairs(record.stripe.pairs, (content.charge, content.payment_intent, own))
    name = content.charge or content.payment_intent or own or "unnamed"
    _merge_case(cases, name, stamp, fields or {"reported": True})


def _case_fields(content: StripeContent) -> dict[str, Any]:
    fields = _said({name: getattr(content.subject, name) for name in _CASE_FIELDS})
    named = {"charge": content.charge, "payment_intent": content.payment_intent}
    return fields | {name: value for name, value in named.items() if value}


def _own_id(content: StripeContent) -> str | None:
    own = content.subject.id
    return own[:_LONGEST_TEXT] if isinstance(own, str) and own and not own.startswith("evt_") else None


def _said(found: dict[str, Any]) -> dict[str, Any]:
    """Texts and numbers that can be kept; nothing of the rest, for Stripe's data comes unchecked."""
    said: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, str) and value:
            said[name] = value[:_LONGEST_TEXT]
        elif isinstance(value, int) and abs(value) < _LARGEST_NUMBER:
            said[name] = value
    return said


def _note(record: Record, content: StripeContent, stamp: Stamp) -> None:
    """Note whatever an event says beside what it is about: whose customer, and which card."""
    note_customer(record, content.customer)
    fingerprint = content.card
    cards = record.stripe.cards
    if fingerprint and has_room(cards, fingerprint, most=MOST_KEPT):
        at_ms = stamp[0]
        card = cards.get(fingerprint)
        if card is None:
            card = cards[fingerprint] = Card(at_ms, at_ms)
        card.first_seen_ms, card.last_seen_ms = min(card.first_seen_ms, at_ms), max(card.last_seen_ms, at_ms)
        merge_newest(card.said, stamp, _card_said(content))


def _card_said(content: StripeContent) -> dict[str, Any]:
    details = content.subject.payment_method_details
    card = content.subject.card or (details.get("card") if isinstance(details, dict) else None)
    return _said({name: card.get(name) for name in _CARD_FIELDS}) if isinstance(card, dict) else {}


def _note_charge(record: Record, content: StripeContent, stamp: Stamp, *, is_paid: bool) -> None:
    learn_pairs(record.stripe.pairs, (content.charge, content.payment_intent))
    charge = Charge(
        is_paid,
        content.amount,
        content.currency,
        content.decline_code,
        content.charge,
        content.payment_intent,
        content.card,
    )
    keep_distinct(record.stripe.charges, (stamp, charge), most=MOST_HISTORY)


def _add(totals: dict[str, int], name: str, value: int, *, most: int) -> None:
    if has_room(totals, name, most=most):
        totals[name] = add_bounded(totals.get(name, 0), value)


def _merge_case(cases: Cases, name: str, stamp: Stamp, fields: dict[str, Any]) -> None:
    if has_room(cases, name, most=MOST_KEPT):
        merge_newest(cases.setdefault(name, []), stamp, fields)


STRIPE_FOLDS: dict[str, Callable[[Record, Event, Any], None]] = {
    "stripe.payment_method.attached": _fold_method,
    "stripe.payment_method.detached": _fold_method,
    "stripe.charge.failed": _fold_failure,
    "stripe.charge.dispute.created": _fold_dispute,
    "stripe.charge.dispute.funds_withdrawn": _fold_dispute,
    "stripe.radar.early_fraud_warning.created": _fold_warning,
    "stripe.payment_intent.succeeded": _fold_payment,
}
