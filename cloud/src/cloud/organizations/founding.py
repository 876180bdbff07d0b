"""The life of an organization, from its founding to its end, and what it has bought."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import delete, select

from abuse_client import events
from cloud.accounts.models import User
from cloud.database import LOCK
from cloud.organizations.models import Invitation, Member, Organization, SsoDomain
from cloud.organizations.reports import report
from cloud.organizations.roles import Role, locked_organization
from cloud.organizations.service import add_member
from cloud.transactions import Work

TRIAL = timedelta(days=14)
TRIAL_SEATS = 10


def create_organization(
    work: Work,
    *,
    owner_id: str | None,
    name: str,
    plan: str,
    seats: int = TRIAL_SEATS,
    has_trial: bool = True,
    sponsorship_id: str | None = None,
) -> Organization:
    """Found an organization. It is reported with its first owner, so an owner who comes later is waited for."""
    organization = Organization(
        id=str(uuid4()),
        name=name,
        plan=plan,
        seats=seats,
        created_at=work.now,
        trial_ends_at=work.now + TRIAL if has_trial else None,
        sponsorship_id=sponsorship_id,
    )
    work.session.add(organization)
    work.session.flush()
    if owner_id is not None:
        add_member(work, organization.id, owner_id, Role.OWNER)
    return organization


def delete_organization(work: Work, organization_id: str) -> None:
    """End the organization and all memberships with one event; it names an owner, never an administrator."""
    organization = locked_organization(work, organization_id)
    members = list(work.session.scalars(select(Member).where(Member.organization_id == organization_id)))
    named = min(members, key=lambda member: (member.role != Role.OWNER, member.joined_at), default=None)
    if named is not None:
        report(work, events.org_deleted, organization, named.user_id, named.role)
    organization.deleted_at, organization.has_sso = work.now, False
    for table in (Member, Invitation, SsoDomain):
        work.session.execute(delete(table).where(table.organization_id == organization_id))


def change_plan(work: Work, organization_id: str, plan: str) -> bool:
    """Put the organization on another plan and say whether it is another one; the next sign-ins tell it."""
    organization = locked_organization(work, organization_id)
    if organization.plan == plan:
        return False
    organization.plan = plan
    return True


def set_seats(work: Work, organization_id: str, seats: int, *, owner_id: str | None = None) -> bool:
    """Set how many members there may be and say whether that is another number. Seats that are bought end the trial.

    The buyer (`owner_id`) owns what he pays for: he is made a member again, seat or no seat, if he is none any more.
    """
    buyer = None if owner_id is None else work.session.get(User, owner_id, with_for_update=LOCK)
    organization = locked_organization(work, organization_id)
    is_other = organization.seats != seats
    organization.seats = seats
    if organization.is_in_free_trial(work.now):
        organization.trial_ends_at = work.now
    work.session.flush()
    if buyer is not None and buyer.deleted_at is None:
        add_member(work, organization_id, buyer.id, Role.OWNER, counts_seats=False)
    return is_other
