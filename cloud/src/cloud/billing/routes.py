"""Pages of billing."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from cloud.accounts.sessions import SignedIn
from cloud.billing.auto_top_up import find_auto_top_up, switch_off, switch_on
from cloud.billing.customers import ensure_customer
from cloud.billing.ledger import balance_of
from cloud.billing.owners import Owner
from cloud.billing.payments import PaymentPage
from cloud.billing.promotions import redeem
from cloud.billing.purchases import (
    buy_credits,
    buy_pass,
    buy_seats,
    cancel_pass,
    list_cards,
    remove_card,
    require_payer,
    save_card,
)
from cloud.billing.service import MICRODOLLARS_A_CENT
from cloud.context import Context

router = APIRouter(prefix="/billing", tags=["billing"])

OrganizationId = Annotated[str | None, Query(description="Act for an organization that the user owns.")]
Cents = Annotated[int, Field(ge=100, le=1_000_000)]


class PurchaseRequest(BaseModel):
    amount_cents: Cents
    organization_id: str | None = None


class PassRequest(BaseModel):
    tier: str = Field(max_length=100)


class SeatsRequest(BaseModel):
    organization_id: str
    seats: int = Field(ge=1, le=10_000)


class CardRequest(BaseModel):
    organization_id: str | None = None


class PageAnswer(BaseModel):
    checkout_session_id: str
    checkout_url: str


class CustomerAnswer(BaseModel):
    stripe_customer_id: str


class CardAnswer(BaseModel):
    card_id: str
    brand: str
    last4: str


class BalanceAnswer(BaseModel):
    balance_microdollars: int
    acquired_microdollars: int


class AutoTopUpRequest(BaseModel):
    threshold_cents: int = Field(ge=100, le=1_000_000)
    amount_cents: Cents
    card_id: str | None = None
    organization_id: str | None = None


class AutoTopUpAnswer(BaseModel):
    is_on: bool
    threshold_cents: int = 0
    amount_cents: int = 0
    card_id: str | None = None


class CodeRequest(BaseModel):
    code: str = Field(min_length=1, max_length=100)


class CodeAnswer(BaseModel):
    microdollars: int


@router.post("/customer")
def post_customer(cloud: Context, user: SignedIn) -> CustomerAnswer:
    """Open the account's customer with Stripe, once."""
    return CustomerAnswer(stripe_customer_id=ensure_customer(cloud, Owner(user_id=user.id)))


@router.get("/balance")
def get_balance(cloud: Context, user: SignedIn, organization_id: OrganizationId = None) -> BalanceAnswer:
    """Show what is left and what was ever acquired."""
    owner = require_payer(cloud, user.id, organization_id)
    with cloud.database.reading() as session:
        held = balance_of(session, owner)
    return BalanceAnswer(balance_microdollars=held.microdollars, acquired_microdollars=held.acquired_microdollars)


@router.post("/credits", status_code=202)
def post_purchase(cloud: Context, user: SignedIn, wish: PurchaseRequest) -> PageAnswer:
    """Begin a purchase; the credits arrive when Stripe reports the payment."""
    owner = require_payer(cloud, user.id, wish.organization_id)
    return page_answer(buy_credits(cloud, owner, wish.amount_cents))


@router.post("/pass", status_code=202)
def post_pass(cloud: Context, user: SignedIn, wish: PassRequest) -> PageAnswer:
    """Begin a monthly pass; it is there when Stripe reports its subscription."""
    return page_answer(buy_pass(cloud, user.id, wish.tier))


@router.delete("/pass", status_code=202)
def delete_pass(cloud: Context, user: SignedIn) -> None:
    """Let the pass end with the month that is paid."""
    cancel_pass(cloud, user.id)


@router.post("/seats", status_code=202)
def post_seats(cloud: Context, user: SignedIn, wish: SeatsRequest) -> PageAnswer:
    """Begin to pay for an organization's seats."""
    owner = require_payer(cloud, user.id, wish.organization_id)
    return page_answer(buy_seats(cloud, owner, wish.seats))


@router.post("/cards", status_code=202)
def post_card(cloud: Context, user: SignedIn, wish: CardRequest) -> PageAnswer:
    """Save a card without a payment."""
    return page_answer(save_card(cloud, require_payer(cloud, user.id, wish.organization_id)))


@router.get("/cards")
def get_cards(cloud: Context, user: SignedIn, organization_id: OrganizationId = None) -> list[CardAnswer]:
    """List the saved cards, the newest first."""
    cards = list_cards(cloud, require_payer(cloud, user.id, organization_id))
    return [CardAnswer(card_id=card.id, brand=card.brand, last4=card.last4) for card in cards]


@router.delete("/cards/{card_id}", status_code=204)
def delete_card(cloud: Context, user: SignedIn, card_id: str, organization_id: OrganizationId = None) -> None:
    """Take a saved card away."""
    remove_card(cloud, require_payer(cloud, user.id, organization_id), card_id)


@router.put("/auto-top-up")
def put_auto_top_up(cloud: Context, user: SignedIn, wish: AutoTopUpRequest) -> AutoTopUpAnswer:
    """Charge a saved card whenever the balance falls below the threshold."""
    switch_on(
        cloud,
        require_payer(cloud, user.id, wish.organization_id),
        threshold_microdollars=wish.threshold_cents * MICRODOLLARS_A_CENT,
        amount_cents=wish.amount_cents,
        card_id=wish.card_id,
    )
    return get_auto_top_up(cloud, user, wish.organization_id)


@router.get("/auto-top-up")
def get_auto_top_up(cloud: Context, user: SignedIn, organization_id: OrganizationId = None) -> AutoTopUpAnswer:
    """Show when the balance is topped up by itself."""
    found = find_auto_top_up(cloud, require_payer(cloud, user.id, organization_id))
    if found is None:
        return AutoTopUpAnswer(is_on=False)
    return AutoTopUpAnswer(
        is_on=found.is_on,
        threshold_cents=found.threshold_microdollars // MICRODOLLARS_A_CENT,
        amount_cents=found.amount_cents,
        card_id=found.card_id,
    )


@router.delete("/auto-top-up", status_code=204)
def delete_auto_top_up(cloud: Context, user: SignedIn, organization_id: OrganizationId = None) -> None:
    """Charge nothing any more by itself."""
    switch_off(cloud, require_payer(cloud, user.id, organization_id))


@router.post("/codes")
def post_code(cloud: Context, user: SignedIn, wish: CodeRequest) -> CodeAnswer:
    """Redeem a promotional code."""
    with cloud.transaction() as work:
        microdollars = redeem(work, user.id, wish.code)
    return CodeAnswer(microdollars=microdollars)


def page_answer(page: PaymentPage) -> PageAnswer:
    return PageAnswer(checkout_session_id=page.session_id, checkout_url=page.url)
