"""Enterprise sign-on: whose domain it is, and membership for whoever signs on by it."""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.errors import Conflict, NotFound
from cloud.organizations.models import SsoDomain
from cloud.organizations.roles import Role, locked_organization
from cloud.organizations.service import SeatsTaken, add_member
from cloud.transactions import Work

logger = logging.getLogger(__name__)


def claim_domain(work: Work, organization_id: str, domain: str) -> None:
    """Note that the organization says that the domain is its own; nobody signs on by it before it is verified."""
    locked_organization(work, organization_id)
    if work.session.get(SsoDomain, (organization_id, domain)) is None:
        work.session.add(SsoDomain(organization_id=organization_id, domain=domain, claimed_at=work.now))


def verify_domain(work: Work, organization_id: str, domain: str, verifier_id: str) -> bool:
    """Let the domain's people sign on, and say whether that is new; a domain is one organization's."""
    organization = locked_organization(work, organization_id)
    claim = work.session.get(SsoDomain, (organization_id, domain))
    if claim is None:
        raise NotFound("found no such claim")
    if claim.verified_at is not None:
        return False
    if find_verified(work.session, domain) is not None:
        raise Conflict("another organization has this domain")
    claim.verified_at, claim.verified_by = work.now, verifier_id
    organization.has_sso = True
    return True


def drop_domain(work: Work, organization_id: str, domain: str) -> bool:
    """Take the domain away and say whether there was one; who came by it stays a member."""
    organization = locked_organization(work, organization_id)
    claim = work.session.get(SsoDomain, (organization_id, domain))
    if claim is None:
        return False
    work.session.delete(claim)
    work.session.flush()
    verified = select(SsoDomain.domain).where(SsoDomain.organization_id == organization_id)
    organization.has_sso = work.session.scalars(verified.where(SsoDomain.verified_at.is_not(None))).first() is not None
    return True


def find_verified(session: Session, domain: str) -> SsoDomain | None:
    """Return the verified claim to the domain."""
    verified = select(SsoDomain).where(SsoDomain.domain == domain, SsoDomain.verified_at.is_not(None))
    return session.scalars(verified).one_or_none()


def provision_member(work: Work, user_id: str, domain: str) -> bool:
    """Make who signs on by the domain a member and say whether that is new; without a seat he comes in as he is."""
    claim = find_verified(work.session, domain)
    if claim is None:
        return False
    try:
        return add_member(work, claim.organization_id, user_id, Role.MEMBER)
    except SeatsTaken:
        logger.warning("organization %s has no seat for a user who signed on", claim.organization_id)
        return False
