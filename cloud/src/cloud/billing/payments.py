"""The payment provider: opens customers and payments; that a payment succeeded is told by a webhook only."""

from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

import stripe

PURPOSE_OF_CREDITS = "credits"


@dataclass(frozen=True, kw_only=True)
class OpenPayment:
    """A payment that waits for the payer; the secret lets his browser complete it."""

    payment_intent_id: str
    client_secret: str


class PaymentProvider(Protocol):
    """Opens customers and payments in Stripe's words."""

    def open_customer(self, user_id: str) -> str: ...

    def open_payment(self, user_id: str, customer_id: str, amount_cents: int) -> OpenPayment: ...


class LocalPayments:
    """Makes up customers and payments of Stripe's form, where no account with Stripe exists."""

    def open_customer(self, user_id: str) -> str:
        return f"cus_{uuid4().hex[:14]}"

    def open_payment(self, user_id: str, customer_id: str, amount_cents: int) -> OpenPayment:
        intent_id = f"pi_{uuid4().hex[:24]}"
        return OpenPayment(payment_intent_id=intent_id, client_secret=f"{intent_id}_secret_{uuid4().hex}")


class StripePayments:
    """Asks Stripe. Its metadata carry the user, since an organization's customer does not name the person."""

    def __init__(self, api_key: str, api_url: str | None = None) -> None:
        self._client = stripe.StripeClient(api_key, base_addresses={"api": api_url} if api_url else {})

    def open_customer(self, user_id: str) -> str:
        # Asked twice at once, Stripe opens one customer.
        key = f"customer-of-{user_id}"
        metadata = {"kilo_user_id": user_id}
        return self._client.v1.customers.create({"metadata": metadata}, {"idempotency_key": key}).id

    def open_payment(self, user_id: str, customer_id: str, amount_cents: int) -> OpenPayment:
        intent = self._client.v1.payment_intents.create(
            {
                "amount": amount_cents,
                "currency": "usd",
                "customer": customer_id,
                "metadata": {"kilo_user_id": user_id, "purpose": PURPOSE_OF_CREDITS},
            }
        )
        return OpenPayment(payment_intent_id=intent.id, client_secret=intent.client_secret or "")
