"""What members see of their organization."""

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.accounts.models import User
from cloud.organizations.models import Member, Organization, SsoDomain
from cloud.organizations.roles import living
from cloud.organizations.service import list_memberships


class MemberView(BaseModel):
    kilo_user_id: str
    email: str
    role: str


class DomainView(BaseModel):
    domain: str
    is_verified: bool


class OrganizationView(BaseModel):
    organization_id: str
    name: str
    plan: str
    seats: int
    in_free_trial: bool
    members: list[MemberView]
    sso_domains: list[DomainView]


def view_organization(session: Session, organization_id: str, now: datetime) -> OrganizationView:
    """Show one organization with its members, in the order in which they joined."""
    organization = living(session.get(Organization, organization_id))
    joined = select(User.id, User.email, Member.role).join(Member, Member.user_id == User.id)
    members = joined.where(Member.organization_id == organization_id).order_by(Member.joined_at, User.id)
    domains = select(SsoDomain).where(SsoDomain.organization_id == organization_id).order_by(SsoDomain.domain)
    return OrganizationView(
        organization_id=organization.id,
        name=organization.name,
        plan=organization.plan,
        seats=organization.seats,
        in_free_trial=organization.is_in_free_trial(now),
        members=[MemberView(kilo_user_id=i, email=email, role=role) for i, email, role in session.execute(members)],
        sso_domains=[
            DomainView(domain=claim.domain, is_verified=claim.verified_at is not None)
            for claim in session.scalars(domains)
        ],
    )


def view_memberships(session: Session, user_id: str, now: datetime) -> list[OrganizationView]:
    """Show every organization that the user is in."""
    return [view_organization(session, member.organization_id, now) for member, _ in list_memberships(session, user_id)]
