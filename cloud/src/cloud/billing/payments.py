"""The payment provider, in our words: that a payment succeeded is told by its webhooks only."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cloud.billing.owners import Owner
from cloud.errors import PaymentsUnavailable


class Purpose(enum.StrEnum):
    """What money is paid for; it stands in the payment's metadata, and its webhook is taken by it."""

    CREDITS = "credits"
    PASS = "pass"
    SEATS = "seats"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person is about to pay for on a page of the provider."""

    customer_id: str
    owner: Owner
    purpose: Purpose
    title: str
    amount_cents: int
    quantity: int = 1
    tier: str | None = None
    return_url: str

    @property
    def is_monthly(self) -> bool:
        return self.purpose is not Purpose.CREDITS

    @property
    def metadata(self) -> dict[str, str]:
        """Return what the webhooks of the payment will name again: a customer alone does not name the person."""
        named = {"purpose": self.purpose.value, "tier": self.tier} | names_of(self.owner)
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class PaymentPage:
    """The provider's page on which a person pays or saves a card."""

    session_id: str
    url: str


@dataclass(frozen=True, kw_only=True)
class SavedCard:
    """A card that the provider may charge without its holder."""

    id: str
    brand: str
    last4: str


@dataclass(frozen=True, kw_only=True)
class TopUp:
    """A charge of a saved card that nobody waits for; the same attempt is charged once, however often it is made."""

    attempt_id: str
    customer_id: str
    card_id: str
    owner: Owner
    amount_cents: int

    @property
    def metadata(self) -> dict[str, str]:
        return {"purpose": Purpose.CREDITS.value, "auto_top_up": self.attempt_id} | names_of(self.owner)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What a cancel-and-refund ended and paid back, by the provider's ids."""

    cancelled: list[str] = field(default_factory=list)
    refunded: list[str] = field(default_factory=list)


class PaymentProvider(Protocol):
    """Takes payments. What it refuses is `CardDeclined`; when it cannot be asked it is `PaymentsUnavailable`."""

    def open_customer(self, owner: Owner) -> str: ...

    def open_page(self, wish: Wish) -> PaymentPage: ...

    def open_card_page(self, customer_id: str, return_url: str) -> PaymentPage: ...

    def list_cards(self, customer_id: str) -> list[SavedCard]: ...

    def remove_card(self, card_id: str) -> None: ...

    def charge(self, top_up: TopUp) -> None: ...

    def cancel_at_period_end(self, subscription_id: str) -> None: ...

    def cancel_and_refund(self, customer_ids: Sequence[str]) -> Settlement: ...

    def find_dispute(self, dispute_id: str) -> list[str]: ...

    def accept_dispute(self, dispute_id: str) -> None: ...

    def find_owner_ids(self, stripe_ids: Iterable[str]) -> list[str]: ...


class NullPayments:
    """Takes no payments: the operator has named no key."""

    def _refuse(self) -> PaymentsUnavailable:
        return PaymentsUnavailable("payments are not set up here; the setting stripe_api_key is missing")

    def open_customer(self, owner: Owner) -> str:
        raise self._refuse()

    def open_page(self, wish: Wish) -> PaymentPage:
        raise self._refuse()

    def open_card_page(self, customer_id: str, return_url: str) -> PaymentPage:
        raise self._refuse()

    def list_cards(self, customer_id: str) -> list[SavedCard]:
        raise self._refuse()

    def remove_card(self, card_id: str) -> None:
        raise self._refuse()

    def charge(self, top_up: TopUp) -> None:
        raise self._refuse()

    def cancel_at_period_end(self, subscription_id: str) -> None:
        raise self._refuse()

    def cancel_and_refund(self, customer_ids: Sequence[str]) -> Settlement:
        raise self._refuse()

    def find_dispute(self, dispute_id: str) -> list[str]:
        raise self._refuse()

    def accept_dispute(self, dispute_id: str) -> None:
        raise self._refuse()

    def find_owner_ids(self, stripe_ids: Iterable[str]) -> list[str]:
        return []


def names_of(owner: Owner) -> dict[str, str]:
    """Return how an owner is named in metadata."""
    named = {"kilo_user_id": owner.user_id, "organization_id": owner.organization_id}
    return {key: value for key, value in named.items() if value is not None}
