"""Payments by Stripe, through its official library."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import stripe

from cloud.billing.owners import Owner
from cloud.billing.payments import PaymentPage, SavedCard, Settlement, TopUp, Wish, names_of
from cloud.errors import CardDeclined, Conflict, PaymentsUnavailable

logger = logging.getLogger(__name__)

ASK_SECONDS = 10
LOOK_UP_SECONDS = 3
"""A webhook waits for a look-up; Stripe sends it again after a while."""
MOST_A_PAGE = 100
CANNOT_BE_REFUNDED = frozenset({"charge_already_refunded", "charge_disputed"})
OVER = frozenset({"canceled", "incomplete_expired"})


class StripePayments:
    """Asks Stripe. Its metadata name the person, since an organization's customer does not."""

    def __init__(self, api_key: str, api_url: str | None = None) -> None:
        self._v1 = client_of(api_key, api_url, ASK_SECONDS, retries=2)
        self._look_up = client_of(api_key, api_url, LOOK_UP_SECONDS, retries=0)

    def open_customer(self, owner: Owner) -> str:
        named = names_of(owner)
        # Asked twice at once, Stripe opens one customer.
        key = f"customer-of-{owner.organization_id or owner.user_id}"
        with asking_stripe():
            return str(self._v1.customers.create({"metadata": named}, {"idempotency_key": key}).id)

    def open_page(self, wish: Wish) -> PaymentPage:
        price: dict[str, Any] = {
            "currency": "usd",
            "unit_amount": wish.amount_cents,
            "product_data": {"name": wish.title},
        }
        asked: dict[str, Any] = {
            "customer": wish.customer_id,
            "success_url": wish.return_url,
            "cancel_url": wish.return_url,
            "metadata": wish.metadata,
        }
        if wish.is_monthly:
            price["recurring"] = {"interval": "month"}
            asked |= {"mode": "subscription", "subscription_data": {"metadata": wish.metadata}}
        else:
            # The card is saved, so that an automatic top-up has one to charge.
            saved = {"metadata": wish.metadata, "setup_future_usage": "off_session"}
            asked |= {"mode": "payment", "payment_intent_data": saved}
        asked["line_items"] = [{"price_data": price, "quantity": wish.quantity}]
        with asking_stripe():
            return page_of(self._v1.checkout.sessions.create(asked))

    def open_card_page(self, customer_id: str, return_url: str) -> PaymentPage:
        asked = {
            "customer": customer_id,
            "mode": "setup",
            "currency": "usd",
            "success_url": return_url,
            "cancel_url": return_url,
        }
        with asking_stripe():
            return page_of(self._v1.checkout.sessions.create(asked))

    def list_cards(self, customer_id: str) -> list[SavedCard]:
        with asking_stripe():
            found = self._v1.payment_methods.list({"customer": customer_id, "type": "card", "limit": MOST_A_PAGE})
        return [SavedCard(id=card.id, brand=card.card.brand, last4=card.card.last4) for card in found.data]

    def remove_card(self, card_id: str) -> None:
        with asking_stripe():
            self._v1.payment_methods.detach(card_id)

    def charge(self, top_up: TopUp) -> None:
        asked = {
            "amount": top_up.amount_cents,
            "currency": "usd",
            "customer": top_up.customer_id,
            "payment_method": top_up.card_id,
            "off_session": True,
            "confirm": True,
            "metadata": top_up.metadata,
        }
        with asking_stripe():
            self._v1.payment_intents.create(asked, {"idempotency_key": f"top-up-{top_up.attempt_id}"})

    def cancel_at_period_end(self, subscription_id: str) -> None:
        with asking_stripe():
            self._v1.subscriptions.update(subscription_id, {"cancel_at_period_end": True})

    def cancel_and_refund(self, customer_ids: Sequence[str]) -> Settlement:
        """End every subscription now and pay back every payment that can be; a second time finds nothing left."""
        done = Settlement()
        with asking_stripe():
            for customer_id in customer_ids:
                asked = {"customer": customer_id, "limit": MOST_A_PAGE}
                for subscription in self._v1.subscriptions.list(asked | {"status": "all"}).auto_paging_iter():
                    if subscription.status not in OVER:
                        self._v1.subscriptions.cancel(subscription.id)
                        done.cancelled.append(subscription.id)
                for charge in self._v1.charges.list(asked).auto_paging_iter():
                    if charge.status == "succeeded" and not charge.refunded and not charge.disputed:
                        self._refund(charge, done)
        return done

    def _refund(self, charge: Any, done: Settlement) -> None:
        left = charge.amount - charge.amount_refunded
        try:
            asked = {"charge": charge.id, "amount": left, "reason": "fraudulent"}
            refund = self._v1.refunds.create(asked, {"idempotency_key": f"refund-{charge.id}-{left}"})
        except stripe.InvalidRequestError as error:
            if error.code not in CANNOT_BE_REFUNDED:
                raise
            return
        done.refunded.append(refund.id)

    def find_dispute(self, dispute_id: str) -> list[str]:
        """Return the ids that tell whose payment the dispute is about; one that is won cannot be accepted."""
        with asking_stripe():
            dispute = self._v1.disputes.retrieve(dispute_id)
        if dispute.status == "won":
            raise Conflict("the dispute is won")
        return [named for named in (dispute.id, dispute.payment_intent, dispute.charge) if isinstance(named, str)]

    def accept_dispute(self, dispute_id: str) -> None:
        """Accept the dispute; one that is lost already stays so."""
        with asking_stripe():
            if self._v1.disputes.retrieve(dispute_id).status != "lost":
                self._v1.disputes.close(dispute_id)

    def find_owner_ids(self, stripe_ids: Iterable[str]) -> list[str]:
        """Return the customers behind charges and payments; nothing when Stripe cannot say it in time."""
        try:
            found = [self._customer_behind(stripe_id) for stripe_id in stripe_ids]
        except stripe.StripeError as error:
            logger.warning("the owner of a payment was not found at Stripe: %s", type(error).__name__)
            return []
        return [customer for customer in found if isinstance(customer, str)]

    def _customer_behind(self, stripe_id: str) -> str | None:
        if stripe_id.startswith(("ch_", "py_")):
            return self._look_up.charges.retrieve(stripe_id).customer  # type: ignore[no-any-return]
        if stripe_id.startswith("pi_"):
            return self._look_up.payment_intents.retrieve(stripe_id).customer  # type: ignore[no-any-return]
        return None


def client_of(api_key: str, api_url: str | None, seconds: int, *, retries: int) -> Any:
    """Return the library's client; its request types are too narrow for parameters that are put together."""
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": api_url} if api_url else {},
        http_client=stripe.RequestsClient(timeout=seconds),
        max_network_retries=retries,
    ).v1


def page_of(session: Any) -> PaymentPage:
    return PaymentPage(session_id=session.id, url=session.url)


@contextmanager
def asking_stripe() -> Iterator[None]:
    """Turn what Stripe refuses into our errors; its texts may name a person, so only their kinds are logged."""
    try:
        yield
    except stripe.CardError as error:
        told = error.error
        raise CardDeclined((told and told.decline_code) or error.code) from None
    except stripe.InvalidRequestError as error:
        logger.warning("Stripe refused a request: %s, parameter %s", error.code, error.param)
        raise Conflict("the payment provider refused this: " + (error.code or "invalid request")) from None
    except stripe.StripeError as error:
        logger.warning("Stripe cannot be asked: %s", type(error).__name__)
        raise PaymentsUnavailable from None
