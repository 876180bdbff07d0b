"""Seats of organizations, paid by the month."""

from sqlalchemy.orm import Session

from cloud.billing.ledger import House, post_once
from cloud.billing.models import SeatSubscription
from cloud.billing.subscriptions import LONG_AGO, is_news, told_at
from cloud.database import LOCK, insert_once
from cloud.organizations.founding import set_seats
from cloud.organizations.models import Organization
from cloud.transactions import Work


def paid_seats(session: Session, organization_id: str) -> int:
    """Return how many seats the organization pays for now."""
    held = session.get(SeatSubscription, organization_id)
    return held.seats if held is not None and held.status in {"active", "trialing", "past_due"} else 0


def follow_seats(
    work: Work,
    organization_id: str,
    buyer_id: str | None,
    *,
    subscription_id: str,
    rank: int,
    status: str,
    seats: int,
) -> None:
    """Take over what the subscription says; with its beginning the buyer is an owner again, if he was not."""
    organization = work.session.get(Organization, organization_id)
    if organization is None or organization.deleted_at is not None:
        return
    insert_once(
        work.session,
        SeatSubscription,
        organization_id=organization_id,
        subscription_id=subscription_id,
        status="incomplete",
        seats=0,
        subscription_at=LONG_AGO,
    )
    held = work.session.get_one(SeatSubscription, organization_id, with_for_update=LOCK, populate_existing=True)
    if not is_news(work, held, subscription_id, status, rank):
        return
    begins = status == "active" and (held.subscription_id != subscription_id or held.status == "incomplete")
    held.subscription_id, held.status, held.seats = subscription_id, status, seats
    held.subscription_at = told_at(work, rank)
    paid = paid_seats(work.session, organization_id)
    # Before the first payment the trial's seats stay.
    if paid or held.is_over:
        set_seats(work, organization_id, paid, owner_id=buyer_id if begins else None)


def take_seat_invoice(work: Work, invoice_id: str, microdollars: int) -> None:
    """Post what the seats of a month brought, once for the invoice."""
    post_once(work, House.STRIPE, House.SEATS, microdollars, kind="seats", stripe_id=invoice_id)
