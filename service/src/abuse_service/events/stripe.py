"""What a Stripe event says, in either layout: the whole event (``data.object``), or a flat slice of it."""

from typing import Any, TypeGuard

import msgspec

from abuse_client.contract import parse_object

_PREFIXES = (
    ("cus_", "customer"),
    ("ch_", "charge"),
    ("py_", "charge"),
    ("pi_", "payment_intent"),
    ("pm_", "payment_method"),
    ("card_", "payment_method"),
    ("src_", "payment_method"),
    ("in_", "invoice"),
    ("sub_", "subscription"),
)
_LONGEST_ID = 255


class _Fields(msgspec.Struct):
    """Fields of a Stripe object that the service reads; nothing is checked, whatever came is there."""

    id: Any = None
    object: Any = None
    customer: Any = None
    charge: Any = None
    latest_charge: Any = None
    payment_intent: Any = None
    payment_method: Any = None
    source: Any = None
    invoice: Any = None
    subscription: Any = None
    amount: Any = None
    amount_received: Any = None
    currency: Any = None
    reason: Any = None
    status: Any = None
    fraud_type: Any = None
    actionable: Any = None
    decline_code: Any = None
    failure_code: Any = None
    outcome: Any = None
    card: Any = None
    payment_method_details: Any = None
    charges: Any = None


class StripeSlice(_Fields):
    """The ``data`` of a ``stripe.*`` event, unchecked: the whole webhook event, or a flat slice of it."""

    data: Any = None
    previous_attributes: Any = None
    kilo_user_id: Any = None
    organization_id: Any = None


class _Event(msgspec.Struct):
    data: StripeSlice


class StripeContent(msgspec.Struct):
    """A Stripe event as the service reads it.

    ``subject`` is the Stripe object that the event is about. ``joins`` are ids such as ``charge:ch_1``, each of which
    may name the owner; ``card`` is a fingerprint, which links accounts and never says whose an event is.
    """

    subject: _Fields
    webhook_id: str | None
    joins: tuple[str, ...]
    customer: str | None
    charge: str | None
    payment_intent: str | None
    payment_method: str | None
    card: str | None
    decline_code: str | None
    amount: int | None
    currency: str | None


_decode = msgspec.json.Decoder(_Event).decode


def read_stripe(body: bytes) -> StripeContent:
    """The content of a ``stripe.*`` event. ``body`` is the whole event of the batch; it must have been read before."""
    try:
        return read_slice(_decode(body).data)
    except msgspec.MsgspecError:
        # A number beyond any field, which the tolerant parser takes.
        return read_slice(msgspec.convert(parse_object(body), _Event).data)


def read_slice(flat: StripeSlice) -> StripeContent:
    """The content of the ``data`` of a ``stripe.*`` event."""
    whole = flat.data if isinstance(flat.data, dict) else {}
    inner = whole.get("object")
    subject: _Fields = msgspec.convert(inner, _Fields) if isinstance(inner, dict) else flat
    joins: list[str] = []
    customer = _note(joins, "customer", subject.customer)
    charge = _note(joins, "charge", subject.charge) or _note(joins, "charge", subject.latest_charge)
    payment_intent = _note(joins, "payment_intent", subject.payment_intent)
    payment_method = _note(joins, "payment_method", subject.payment_method or subject.source)
    if subject.invoice is not None:
        _note(joins, "invoice", subject.invoice)
    if subject.subscription is not None:
        _note(joins, "subscription", subject.subscription)
    own = subject.id
    if isinstance(own, str) and not own.startswith("evt_"):
        kind = _kind_of(own, subject.object)
        if kind is not None:
            _note(joins, kind, own)
            charge = own if kind == "charge" else charge
            payment_intent = own if kind == "payment_intent" else payment_intent
            payment_method = own if kind == "payment_method" else payment_method
    if subject is not flat and flat.customer is not None:
        customer = customer or _note(joins, "customer", flat.customer)
    previous = whole.get("previous_attributes") or flat.previous_attributes
    if isinstance(previous, dict):
        customer = customer or _note(joins, "customer", previous.get("customer"))
    return StripeContent(
        subject,
        flat.id if is_webhook_id(flat.id) else None,
        tuple(dict.fromkeys(joins)),
        customer,
        charge,
        payment_intent,
        payment_method,
        _card(subject),
        _decline_code(subject, flat),
        _amount(subject),
        subject.currency[:8] if isinstance(subject.currency, str) else None,
    )


def is_webhook_id(value: Any) -> TypeGuard[str]:
    """Whether this is the id of a webhook event, ``evt_…``."""
    return isinstance(value, str) and value.startswith("evt_") and len(value) <= _LONGEST_ID


def _note(joins: list[str], kind: str, value: Any) -> str | None:
    """Add an id, given as text or as an object that holds it."""
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, str) and 0 < len(value) <= _LONGEST_ID:
        joins.append(f"{kind}:{value}")
        return value
    return None


def _kind_of(own: str, named: Any) -> str | None:
    """What the object's own id is an id of: by what the object says it is, else by the id's prefix."""
    if named in ("charge", "payment_intent", "payment_method", "invoice", "subscription", "customer"):
        return str(named)
    return kind_of_id(own)


def kind_of_id(stripe_id: str) -> str | None:
    """What a Stripe id is an id of, by its prefix; ``None`` for one of no kind that names an owner."""
    return next((kind for prefix, kind in _PREFIXES if stripe_id.startswith(prefix)), None)


def _card(subject: _Fields) -> str | None:
    """The card's fingerprint, from a payment method, a charge, or a payment intent of an older API version."""
    if subject.card is None and subject.payment_method_details is None and subject.charges is None:
        return None
    details = [subject.payment_method_details, *_listed_details(subject.charges)]
    holders = [subject.card, *(detail.get("card") for detail in details if isinstance(detail, dict))]
    for holder in holders:
        if isinstance(holder, dict) and isinstance(holder.get("fingerprint"), str) and holder["fingerprint"]:
            return str(holder["fingerprint"])[:_LONGEST_ID]
    return None


def _listed_details(charges: Any) -> list[Any]:
    listed = charges.get("data") if isinstance(charges, dict) else None
    return [charge.get("payment_method_details") for charge in listed or () if isinstance(charge, dict)]


def _decline_code(subject: _Fields, flat: StripeSlice) -> str | None:
    """The issuer's reason, else Radar's, else the coarse failure code."""
    outcome = subject.outcome
    radar = outcome.get("reason") if isinstance(outcome, dict) else None
    for code in (flat.decline_code, subject.decline_code, radar, subject.failure_code):
        if isinstance(code, str) and code:
            return code[:64]
    return None


def _amount(subject: _Fields) -> int | None:
    amount = subject.amount_received or subject.amount
    if isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) < 2**53:
        return amount
    return None
