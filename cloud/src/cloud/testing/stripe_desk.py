"""Webhooks in every shape that Stripe ever sent, signed by its scheme: what `local.stripe` has no reason to send."""

import json
import time
from typing import Any
from uuid import uuid4

import httpx
import stripe

Json = dict[str, Any]


class StripeDesk:
    """Posts signed webhooks to the cloud."""

    def __init__(self, http: httpx.Client, webhook_secret: str) -> None:
        self._http = http
        self._secret = webhook_secret

    def post(self, kind: str, subject: Json, previous: Json | None = None, **changes: Any) -> httpx.Response:
        """Send one event about the object, whatever comes of it."""
        return self.send(event_of(kind, subject, previous) | changes)

    def send(self, event: Json) -> httpx.Response:
        """Sign the event and send it, whatever comes of it."""
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(body, self._secret)
        headers = {"stripe-signature": signature, "content-type": "application/json"}
        return self._http.post("/stripe/webhook", content=body, headers=headers)


def event_of(kind: str, subject: Json, previous: Json | None = None) -> Json:
    content: Json = {"object": subject}
    if previous is not None:
        content["previous_attributes"] = previous
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": "2026-01-28.clover",
        "created": int(time.time()),
        "data": content,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex[:24]}"


def payment_method(customer_id: str | None, card_fingerprint: str) -> Json:
    """Return a card, as it is attached to a customer or, with none, detached."""
    card = {"brand": "visa", "country": "US", "funding": "credit", "last4": "4242", "fingerprint": card_fingerprint}
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "type": "card",
        "customer": customer_id,
        "card": card | {"exp_month": 8, "exp_year": 2030},
    }


def payment_intent(customer_id: str, amount_cents: int, user_id: str) -> Json:
    """Return a payment for credits that succeeded."""
    return {
        "id": new_id("pi"),
        "object": "payment_intent",
        "amount": amount_cents,
        "amount_received": amount_cents,
        "currency": "usd",
        "customer": customer_id,
        "latest_charge": new_id("ch"),
        "metadata": {"kilo_user_id": user_id, "purpose": "credits"},
        "status": "succeeded",
    }


def failed_charge(customer_id: str, decline_code: str) -> Json:
    outcome = {"network_status": "declined_by_network", "reason": decline_code, "type": "issuer_declined"}
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": 2_000,
        "currency": "usd",
        "customer": customer_id,
        "failure_code": "card_declined",
        "outcome": outcome | {"risk_level": "elevated", "risk_score": 61},
        "status": "failed",
    }


def dispute(intent: Json, reason: str) -> Json:
    """Return a dispute: it names the charge and the payment, and no customer."""
    return {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": intent["amount"],
        "currency": "usd",
        "charge": intent["latest_charge"],
        "payment_intent": intent["id"],
        "reason": reason,
        "status": "needs_response",
    }


def fraud_warning(intent: Json) -> Json:
    return {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": intent["latest_charge"],
        "payment_intent": intent["id"],
        "fraud_type": "made_with_stolen_card",
    }


def subscription(customer_id: str, tier: str, status: str = "active", *, is_cancelling: bool = False) -> Json:
    return {
        "id": new_id("sub"),
        "object": "subscription",
        "customer": customer_id,
        "status": status,
        "cancel_at_period_end": is_cancelling,
        "items": {"object": "list", "data": [{"id": new_id("si"), "price": {"lookup_key": tier}}]},
    }


def paid_invoice(customer_id: str, tier: str, amount_cents: int) -> Json:
    return {
        "id": new_id("in"),
        "object": "invoice",
        "amount_paid": amount_cents,
        "billing_reason": "subscription_cycle",
        "currency": "usd",
        "customer": customer_id,
        "lines": {"object": "list", "data": [{"id": new_id("il"), "price": {"lookup_key": tier}}]},
        "status": "paid",
    }
