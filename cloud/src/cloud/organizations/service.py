"""Memberships: each real change is reported once, with the role that it concerned.

A membership changes while its organization is locked, so that seats and owners are counted right in a race.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from abuse_client import events
from cloud.accounts.profile import locked_user
from cloud.errors import Conflict, NotFound
from cloud.organizations.models import Member, Organization
from cloud.organizations.reports import announce, report
from cloud.organizations.roles import Role, find_member, locked_organization
from cloud.transactions import Work


class SeatsTaken(Conflict):
    """all seats of the organization are taken; buy more, or remove a member"""

    code = "seats_taken"


class LastOwner(Conflict):
    """an organization keeps one owner; make somebody else an owner first"""

    code = "last_owner"


def add_member(work: Work, organization_id: str, user_id: str, role: str, *, counts_seats: bool = True) -> bool:
    """Make the user a member and say whether that is new; beyond the seats raise `SeatsTaken`."""
    locked_user(work, user_id)
    organization = locked_organization(work, organization_id)
    if find_member(work.session, organization.id, user_id) is not None:
        return False
    if counts_seats and count_members(work.session, organization.id) >= organization.seats:
        raise SeatsTaken
    work.session.add(Member(organization_id=organization.id, user_id=user_id, role=role, joined_at=work.now))
    work.session.flush()
    if role == Role.OWNER:
        announce(work, organization, user_id)
    report(work, events.org_member_added, organization, user_id, role)
    return True


def remove_member(work: Work, organization_id: str, user_id: str, *, spares_last_owner: bool = True) -> bool:
    """End a membership and say whether there was one; the event tells the role as it was."""
    organization = locked_organization(work, organization_id)
    member = find_member(work.session, organization_id, user_id)
    if member is None:
        return False
    if spares_last_owner:
        refuse_last_owner(work, member)
    work.session.delete(member)
    work.session.flush()
    report(work, events.org_member_removed, organization, user_id, member.role)
    return True


def change_role(work: Work, organization_id: str, user_id: str, role: str) -> bool:
    """Give a member another role and say whether it is another one. No event tells roles: the next sign-in does."""
    locked_organization(work, organization_id)
    member = find_member(work.session, organization_id, user_id)
    if member is None:
        raise NotFound("found no such member")
    if member.role == role:
        return False
    refuse_last_owner(work, member)
    member.role = role
    return True


def end_all_memberships(work: Work, user_id: str) -> None:
    """End every membership of a user who is going, also the last owner's; each is an event of its own."""
    for _, organization in list_memberships(work.session, user_id):
        remove_member(work, organization.id, user_id, spares_last_owner=False)


def list_memberships(session: Session, user_id: str) -> list[tuple[Member, Organization]]:
    """Return the user's memberships in organizations that exist."""
    joined = select(Member, Organization).join(Organization, Organization.id == Member.organization_id)
    living = joined.where(Member.user_id == user_id, Organization.deleted_at.is_(None))
    return [(member, organization) for member, organization in session.execute(living.order_by(Organization.id))]


def count_members(session: Session, organization_id: str) -> int:
    members = select(func.count()).select_from(Member).where(Member.organization_id == organization_id)
    return session.scalars(members).one()


def refuse_last_owner(work: Work, member: Member) -> None:
    """Raise `LastOwner` when the member is the only owner."""
    owners = select(Member.user_id).where(Member.organization_id == member.organization_id, Member.role == Role.OWNER)
    if list(work.session.scalars(owners)) == [member.user_id]:
        raise LastOwner
