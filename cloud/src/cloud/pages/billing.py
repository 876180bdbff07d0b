"""Buying: credits, a pass, a promotional code."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from cloud.accounts.cross_site import SameSite
from cloud.billing.ledger import account_of, balance_of
from cloud.billing.models import KiloPass
from cloud.billing.owners import Owner
from cloud.billing.promotions import redeem
from cloud.billing.purchases import TIERS, buy_credits, buy_pass, cancel_pass, require_payer
from cloud.billing.routes import CodeRequest, PassRequest
from cloud.billing.statement import list_postings
from cloud.pages.page import OwnPage, usd

router = APIRouter(include_in_schema=False, dependencies=[SameSite])

SHOWN_POSTINGS = 20


class CreditsForm(BaseModel):
    amount_usd: Decimal = Field(ge=1, le=10_000, decimal_places=2)
    organization_id: str | None = None


@router.get("/credits")
def get_credits(page: OwnPage) -> Response:
    """Show what is left, what moved it, and what is on sale."""
    owner = Owner(user_id=page.user.id)
    with page.cloud.database.reading() as session:
        held = session.get(KiloPass, page.user.id)
        return page.show(
            "credits.html",
            account=account_of(owner),
            balance=balance_of(session, owner),
            postings=list_postings(session, owner, SHOWN_POSTINGS),
            held=held if held is not None and held.subscription_id is not None else None,
            tiers=TIERS,
        )


@router.post("/credits/buy")
def post_purchase(page: OwnPage, wish: Annotated[CreditsForm, Form()]) -> Response:
    """Send the buyer to the payment page."""
    owner = require_payer(page.cloud, page.user.id, wish.organization_id)
    return RedirectResponse(buy_credits(page.cloud, owner, int(wish.amount_usd * 100)).url, 303)


@router.post("/credits/code")
def post_code(page: OwnPage, wish: Annotated[CodeRequest, Form()]) -> Response:
    """Redeem a promotional code."""
    with page.cloud.transaction() as work:
        microdollars = redeem(work, page.user.id, wish.code)
    return page.go("/credits", f"The code gave you {usd(microdollars)}.")


@router.post("/credits/pass")
def post_pass(page: OwnPage, wish: Annotated[PassRequest, Form()]) -> Response:
    """Send the buyer of a pass to the payment page."""
    return RedirectResponse(buy_pass(page.cloud, page.user.id, wish.tier).url, 303)


@router.post("/credits/pass/cancel")
def post_cancellation(page: OwnPage) -> Response:
    """Let the pass end with its month."""
    cancel_pass(page.cloud, page.user.id)
    return page.go("/credits", "The pass ends with the month that is paid.")


@router.get("/billing/thanks")
def get_thanks(page: OwnPage) -> Response:
    """Greet who comes back from the payment page."""
    return page.show("thanks.html")
