"""The card numbers that Stripe documents for testing, and what comes of each."""

from dataclasses import dataclass
from hashlib import sha256

from cloud.local.stripe.faults import Fault


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card as the bank and Radar will treat it."""

    number: str
    decline_code: str | None = None
    is_blocked_by_radar: bool = False
    is_declined_when_saved: bool = False
    """It can be saved, and every later payment with it is declined."""
    asks_for_holder: bool = False
    """It is declined whenever its holder is not there to prove himself."""
    dispute_reason: str | None = None
    fraud_type: str | None = None

    @property
    def brand(self) -> str:
        return {"3": "amex", "4": "visa", "5": "mastercard"}.get(self.number[0], "unknown")

    @property
    def fingerprint(self) -> str:
        """Return what is the same wherever the same number is used."""
        return sha256(self.number.encode()).hexdigest()[:16]

    def decline(self, *, is_off_session: bool) -> str | None:
        """Return why the bank declines, or nothing."""
        if self.is_blocked_by_radar:
            return "fraudulent"
        if self.asks_for_holder and is_off_session:
            return "authentication_required"
        if self.is_declined_when_saved and is_off_session:
            return "generic_decline"
        return self.decline_code


DOCUMENTED = {
    card.number: card
    for card in (
        Card(number="4242424242424242"),
        Card(number="5555555555554444"),
        Card(number="4000000000000002", decline_code="generic_decline"),
        Card(number="4000000000009995", decline_code="insufficient_funds"),
        Card(number="4000000000009987", decline_code="lost_card"),
        Card(number="4000000000009979", decline_code="stolen_card"),
        Card(number="4000000000000069", decline_code="expired_card"),
        Card(number="4000000000000127", decline_code="incorrect_cvc"),
        Card(number="4000000000000119", decline_code="processing_error"),
        Card(number="4000000000006975", decline_code="card_velocity_exceeded"),
        Card(number="4000000000000341", is_declined_when_saved=True),
        Card(number="4000002500003155", asks_for_holder=True),
        Card(number="4100000000000019", is_blocked_by_radar=True),
        Card(number="4000000000000259", dispute_reason="fraudulent"),
        Card(number="4000000000002685", dispute_reason="product_not_received"),
        Card(number="4000000000005423", fraud_type="made_with_stolen_card"),
    )
}
TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_createDispute": "4000000000000259",
}
CODES = {"expired_card", "incorrect_cvc", "processing_error", "authentication_required"}
"""What is told as the error's code itself; every other decline is `card_declined`."""


def read_card(number: str) -> Card:
    """Return the card of the number, or say that it can be none."""
    digits = "".join(number.split())
    if not (digits.isdigit() and 13 <= len(digits) <= 19 and is_sound(digits)):
        raise Fault(402, "card_error", "Your card number is incorrect.", code="incorrect_number", param="number")
    return DOCUMENTED.get(digits) or Card(number=digits)


def is_sound(digits: str) -> bool:
    """Say whether the last digit fits the others, by Luhn's sum."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
