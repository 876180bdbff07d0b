"""Pages of billing."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from cloud.accounts.sessions import SignedIn
from cloud.billing.service import buy_credits, ensure_customer
from cloud.context import Context

router = APIRouter(prefix="/billing", tags=["billing"])


class PurchaseRequest(BaseModel):
    amount_cents: int = Field(ge=100, le=1_000_000)


class PurchaseAnswer(BaseModel):
    stripe_customer_id: str
    payment_intent_id: str
    client_secret: str


class CustomerAnswer(BaseModel):
    stripe_customer_id: str


@router.post("/customer")
def post_customer(cloud: Context, user: SignedIn) -> CustomerAnswer:
    """Open the account's customer with Stripe, once."""
    return CustomerAnswer(stripe_customer_id=ensure_customer(cloud, user.id))


@router.post("/credits", status_code=202)
def post_purchase(cloud: Context, user: SignedIn, wish: PurchaseRequest) -> PurchaseAnswer:
    """Begin a purchase; the credits arrive when Stripe reports the payment."""
    customer_id = ensure_customer(cloud, user.id)
    payment = buy_credits(cloud, user.id, wish.amount_cents)
    return PurchaseAnswer(
        stripe_customer_id=customer_id,
        payment_intent_id=payment.payment_intent_id,
        client_secret=payment.client_secret,
    )
