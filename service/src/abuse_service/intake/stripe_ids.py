"""Which ids a Stripe event carries, in either layout: the whole event, or a flat slice."""

from typing import Any

import msgspec

from abuse_client.contract import StripeEventData

_ID_PREFIXES = {
    "cus_": "customer",
    "ch_": "charge",
    "py_": "charge",
    "pi_": "payment_intent",
    "pm_": "payment_method",
    "card_": "payment_method",
    "src_": "payment_method",
    "in_": "invoice",
    "sub_": "subscription",
}
_FIELDS = {
    "customer": "customer",
    "charge": "charge",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "source": "payment_method",
    "invoice": "invoice",
    "subscription": "subscription",
}
_OBJECTS = {"charge": "charge", "payment_intent": "payment_intent", "payment_method": "payment_method"}
_LONGEST_ID = 255


class StripeIds(msgspec.Struct, frozen=True):
    """What a Stripe event says about whose it is.

    ``joins`` are ids such as ``charge:ch_1``, each of which may name the owner; ``card`` is a fingerprint, which links
    accounts and never says whose an event is.
    """

    webhook_id: str | None
    joins: tuple[str, ...]
    customer: str | None
    card: str | None


def stripe_object(data: StripeEventData, flat: dict[str, Any]) -> dict[str, Any]:
    """The Stripe object that the event is about: ``data.object``, or in a flat slice the slice itself."""
    whole = (data.data or {}).get("object")
    return whole if isinstance(whole, dict) else flat


def read_ids(data: StripeEventData, flat: dict[str, Any]) -> StripeIds:
    """The ids in a Stripe event; ``flat`` is its ``data`` as parsed."""
    subject = stripe_object(data, flat)
    found: dict[str, None] = {}
    _add(found, _OBJECTS.get(str(subject.get("object"))), subject.get("id"))
    for holder in (subject, flat, (data.data or {}).get("previous_attributes")):
        if isinstance(holder, dict):
            for field, kind in _FIELDS.items():
                if field in holder:
                    _add(found, kind, holder[field])
    _add_by_prefix(found, subject.get("id"))
    customers = [join.partition(":")[2] for join in found if join.startswith("customer:")]
    webhook_id = data.id if data.id and data.id.startswith("evt_") and len(data.id) <= _LONGEST_ID else None
    return StripeIds(webhook_id, tuple(found), customers[0] if customers else None, _card(subject))


def _add(found: dict[str, None], kind: str | None, value: Any) -> None:
    if isinstance(value, dict):
        value = value.get("id")
    if kind and isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
        found[f"{kind}:{value}"] = None


def _add_by_prefix(found: dict[str, None], value: Any) -> None:
    if isinstance(value, str):
        for prefix, kind in _ID_PREFIXES.items():
            if value.startswith(prefix):
                _add(found, kind, value)


def _card(subject: dict[str, Any]) -> str | None:
    """The card's fingerprint, from a payment method, a charge, or a payment intent of an older API version."""
    charges = subject.get("charges")
    listed = charges.get("data") if isinstance(charges, dict) else None
    for holder in (subject, *(listed if isinstance(listed, list) else ())):
        if not isinstance(holder, dict):
            continue
        details = holder.get("payment_method_details")
        for part in (holder, details):
            card = part.get("card") if isinstance(part, dict) else None
            if isinstance(card, dict) and isinstance(card.get("fingerprint"), str) and card["fingerprint"]:
                return str(card["fingerprint"])
    return None
