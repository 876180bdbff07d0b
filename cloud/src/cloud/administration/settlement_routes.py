"""Pages of the administrators about money: refunds, disputes, grants to organizations, promotional codes."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field

from cloud.accounts.sessions import Admin
from cloud.administration.audit import note
from cloud.administration.routes import BlockRequest, ChangeAnswer, GrantRequest
from cloud.administration.settlement import accept_dispute, cancel_and_refund
from cloud.billing.promotions import create_code
from cloud.billing.service import grant_credits, named_owner
from cloud.context import Context
from cloud.organizations.roles import existing_organization

router = APIRouter(prefix="/admin", tags=["administration"])


class SettlementAnswer(BaseModel):
    changed: bool
    cancelled_subscriptions: list[str]
    refunds: list[str]


class DisputeAnswer(BaseModel):
    kilo_user_id: str | None


class PromoCodeRequest(BaseModel):
    code: str = Field(min_length=3, max_length=100)
    microdollars: int = Field(gt=0, le=1_000_000_000)
    most_redemptions: int | None = Field(None, gt=0)
    expires_at: AwareDatetime | None = None
    reason: str = Field(min_length=1, max_length=1000)


@router.post("/users/{user_id}/cancel-and-refund")
def post_cancel_and_refund(cloud: Context, admin: Admin, user_id: str, wish: BlockRequest) -> SettlementAnswer:
    """Block a user, end what he pays for, and pay back what he paid."""
    is_new, done = cancel_and_refund(cloud, user_id, wish.reason, admin.email)
    return SettlementAnswer(changed=is_new, cancelled_subscriptions=done.cancelled, refunds=done.refunded)


@router.post("/disputes/{dispute_id}/accept")
def post_accepted_dispute(cloud: Context, admin: Admin, dispute_id: str, wish: BlockRequest) -> DisputeAnswer:
    """Accept a dispute and block whose payment it is about."""
    return DisputeAnswer(kilo_user_id=accept_dispute(cloud, dispute_id, wish.reason, admin.email))


@router.post("/organizations/{organization_id}/credits")
def post_organization_grant(cloud: Context, admin: Admin, organization_id: str, wish: GrantRequest) -> ChangeAnswer:
    """Give an organization credits that nobody pays for; the event names who founded it."""
    with cloud.transaction() as work:
        existing_organization(work, organization_id)
        grant_credits(work, named_owner(work, organization_id), wish.microdollars, wish.note)
        note(work, "granted", actor_email=admin.email, reason=wish.note, organization_id=organization_id)
    return ChangeAnswer(changed=True)


@router.post("/promo-codes", status_code=201)
def post_promo_code(cloud: Context, admin: Admin, wish: PromoCodeRequest) -> None:
    """Make a promotional code."""
    expires_at: datetime | None = wish.expires_at
    with cloud.transaction() as work:
        create_code(work, wish.code, wish.microdollars, most_redemptions=wish.most_redemptions, expires_at=expires_at)
        note(work, "code_created", actor_email=admin.email, reason=wish.reason, subject=wish.code)
