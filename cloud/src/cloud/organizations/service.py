"""The life of organizations and memberships; each change of a membership is reported with the role it concerned."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from abuse_client import events
from cloud.errors import Forbidden, NotFound
from cloud.organizations.models import Member, Organization
from cloud.transactions import Work

OWNER = "owner"
TRIAL = timedelta(days=14)


def create_organization(work: Work, owner_id: str, name: str, plan: str) -> Organization:
    """Found an organization with its first owner; the event carries the plan as it was finally set."""
    organization = Organization(
        id=str(uuid4()), name=name, plan=plan, created_at=work.now, trial_ends_at=work.now + TRIAL
    )
    work.session.add(organization)
    work.session.flush()
    work.report_after_commit(
        events.org_created(
            kilo_user_id=owner_id,
            organization_id=organization.id,
            role=OWNER,
            plan=organization.plan,
            has_sso=organization.has_sso,
            in_free_trial=organization.is_in_free_trial(work.now),
            occurred_at=work.occurred_at_ms,
        )
    )
    add_member(work, organization, owner_id, OWNER)
    return organization


def delete_organization(work: Work, organization_id: str) -> None:
    """End the organization and all memberships with one event; it names an owner, never an administrator."""
    organization = existing_organization(work, organization_id)
    members = list(work.session.scalars(select(Member).where(Member.organization_id == organization_id)))
    organization.deleted_at = work.now
    for member in members:
        work.session.delete(member)
    named = min(members, key=lambda member: (member.role != OWNER, member.joined_at), default=None)
    if named is not None:
        work.report_after_commit(
            events.org_deleted(
                kilo_user_id=named.user_id,
                organization_id=organization_id,
                role=named.role,
                plan=organization.plan,
                has_sso=organization.has_sso,
                in_free_trial=organization.is_in_free_trial(work.now),
                occurred_at=work.occurred_at_ms,
            )
        )


def add_member(work: Work, organization: Organization, user_id: str, role: str) -> bool:
    """Make the user a member and say whether that is new."""
    if find_member(work.session, organization.id, user_id) is not None:
        return False
    work.session.add(Member(organization_id=organization.id, user_id=user_id, role=role, joined_at=work.now))
    work.report_after_commit(
        events.org_member_added(
            kilo_user_id=user_id,
            organization_id=organization.id,
            role=role,
            plan=organization.plan,
            has_sso=organization.has_sso,
            in_free_trial=organization.is_in_free_trial(work.now),
            occurred_at=work.occurred_at_ms,
        )
    )
    return True


def remove_member(work: Work, organization_id: str, user_id: str) -> bool:
    """End a membership and say whether there was one; the event tells the role as it was."""
    member = find_member(work.session, organization_id, user_id)
    if member is None:
        return False
    organization = existing_organization(work, organization_id)
    work.session.delete(member)
    work.report_after_commit(
        events.org_member_removed(
            kilo_user_id=user_id,
            organization_id=organization_id,
            role=member.role,
            plan=organization.plan,
            has_sso=organization.has_sso,
            in_free_trial=organization.is_in_free_trial(work.now),
            occurred_at=work.occurred_at_ms,
        )
    )
    return True


def end_all_memberships(work: Work, user_id: str) -> None:
    """End every membership of a user who is going; each is an event of its own."""
    for member, organization in list_memberships(work.session, user_id):
        remove_member(work, organization.id, member.user_id)


def list_memberships(session: Session, user_id: str) -> list[tuple[Member, Organization]]:
    """Return the user's memberships in organizations that exist."""
    joined = select(Member, Organization).join(Organization, Organization.id == Member.organization_id)
    living = joined.where(Member.user_id == user_id, Organization.deleted_at.is_(None))
    return [(member, organization) for member, organization in session.execute(living.order_by(Organization.id))]


def find_member(session: Session, organization_id: str, user_id: str) -> Member | None:
    return session.get(Member, (organization_id, user_id))


def existing_organization(work: Work, organization_id: str) -> Organization:
    """Return the organization, or raise `NotFound` when there is none or it was deleted."""
    organization = work.session.get(Organization, organization_id)
    if organization is None or organization.deleted_at is not None:
        raise NotFound("found no such organization")
    return organization


def require_owner(work: Work, organization_id: str, user_id: str) -> Organization:
    """Return the organization if the user owns it."""
    organization = existing_organization(work, organization_id)
    member = find_member(work.session, organization_id, user_id)
    if member is None or member.role != OWNER:
        raise Forbidden("this needs an owner of the organization")
    return organization
