"""What members may do: a member belongs, an administrator manages members, an owner decides all."""

import enum

from sqlalchemy.orm import Session

from cloud.database import LOCK
from cloud.errors import Forbidden, NotFound
from cloud.organizations.models import Member, Organization
from cloud.transactions import Work


class Role(enum.StrEnum):
    """A member's role."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


def find_member(session: Session, organization_id: str, user_id: str) -> Member | None:
    return session.get(Member, (organization_id, user_id))


def existing_organization(work: Work, organization_id: str) -> Organization:
    """Return the organization, or raise `NotFound` when there is none or it was deleted."""
    return living(work.session.get(Organization, organization_id))


def locked_organization(work: Work, organization_id: str) -> Organization:
    """Return the organization; nobody else changes it or its members before this transaction ends.

    Whoever locks a user too locks the user first, so that no two transactions wait for each other.
    """
    return living(work.session.get(Organization, organization_id, with_for_update=LOCK, populate_existing=True))


def living(organization: Organization | None) -> Organization:
    if organization is None or organization.deleted_at is not None:
        raise NotFound("found no such organization")
    return organization


def require_owner(work: Work, organization_id: str, user_id: str) -> Organization:
    """Return the organization if the user owns it."""
    return require_role(work, organization_id, user_id, Role.OWNER)


def require_role(work: Work, organization_id: str, user_id: str, *roles: Role) -> Organization:
    """Return the organization if the user has one of the roles in it."""
    organization = existing_organization(work, organization_id)
    member = find_member(work.session, organization_id, user_id)
    if member is None or member.role not in roles:
        raise Forbidden(f"this needs the role {' or '.join(roles)} in the organization")
    return organization
