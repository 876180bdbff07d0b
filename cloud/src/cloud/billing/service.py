"""Credits, bought and granted: each movement is posted in the ledger, each purchase an event."""

from sqlalchemy import select

from abuse_client import events
from cloud.billing.ledger import House, post_credits
from cloud.billing.owners import Owner
from cloud.organizations.models import Member
from cloud.organizations.roles import Role
from cloud.transactions import Work

MICRODOLLARS_A_CENT = 10_000


def grant_credits(work: Work, owner: Owner, microdollars: int, note: str) -> None:
    """Give credits that nobody pays for; the event says so."""
    book_credits(work, owner, microdollars, source=House.GRANTS, kind="grant", note=note)


def named_owner(work: Work, organization_id: str) -> Owner:
    """Return the organization with the person whom its events name: the owner of longest standing."""
    owners = select(Member.user_id).where(Member.organization_id == organization_id, Member.role == Role.OWNER)
    user_id = work.session.scalars(owners.order_by(Member.joined_at, Member.user_id).limit(1)).first()
    return Owner(user_id=user_id, organization_id=organization_id)


def book_credits(
    work: Work,
    owner: Owner,
    microdollars: int,
    *,
    source: House = House.STRIPE,
    kind: str,
    note: str | None = None,
    stripe_id: str | None = None,
) -> bool:
    """Book credits, once for a Stripe id, and say whether this booked them.

    The event names the person who got them or got them for the organization, and tells the total after it. An
    organization's total is not the person's, so it is left out there.
    """
    booked = post_credits(work, owner, microdollars, source=source, kind=kind, note=note, stripe_id=stripe_id)
    if booked is None:
        return False
    posting_id, total = booked
    if owner.user_id is not None:
        work.report_after_commit(
            events.billing_credit_purchased(
                kilo_user_id=owner.user_id,
                organization_id=owner.organization_id,
                microdollars_acquired=microdollars,
                total_microdollars_acquired=total if owner.organization_id is None else None,
                is_free=source is not House.STRIPE,
                occurred_at=work.occurred_at_ms,
                event_id=posting_id,
            )
        )
    return True
