"""Pages of organizations."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from pydantic import AfterValidator, BaseModel, Field

from cloud.accounts.routes import EmailAddress
from cloud.accounts.sessions import SignedIn
from cloud.context import Context
from cloud.errors import Forbidden, NotFound
from cloud.organizations.founding import change_plan, create_organization, delete_organization
from cloud.organizations.invitations import accept_invitation, invite
from cloud.organizations.overview import OrganizationView, view_memberships, view_organization
from cloud.organizations.roles import Role, find_member, require_owner, require_role
from cloud.organizations.service import change_role, remove_member
from cloud.organizations.sso import claim_domain, drop_domain

router = APIRouter(tags=["organizations"])

DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])")


def checked_domain(domain: str) -> str:
    named = domain.strip().lower()
    if DOMAIN.fullmatch(named) is None:
        raise ValueError("expected a domain such as example.com")
    return named


Plan = Literal["teams", "enterprise"]
Domain = Annotated[str, Field(max_length=253), AfterValidator(checked_domain)]


class OrganizationRequest(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    plan: Plan = "teams"


class OrganizationAnswer(BaseModel):
    organization_id: str


class InvitationRequest(BaseModel):
    email: EmailAddress
    role: Role = Role.MEMBER


class RoleRequest(BaseModel):
    role: Role


class PlanRequest(BaseModel):
    plan: Plan


class DomainRequest(BaseModel):
    domain: Domain


class ChangeAnswer(BaseModel):
    changed: bool


@router.post("/organizations", status_code=201)
def post_organization(cloud: Context, user: SignedIn, wish: OrganizationRequest) -> OrganizationAnswer:
    """Found an organization."""
    with cloud.transaction() as work:
        organization = create_organization(work, owner_id=user.id, name=wish.name, plan=wish.plan)
    return OrganizationAnswer(organization_id=organization.id)


@router.get("/organizations")
def get_organizations(cloud: Context, user: SignedIn) -> list[OrganizationView]:
    """List the organizations that the user is in."""
    with cloud.database.reading() as session:
        return view_memberships(session, user.id, cloud.clock())


@router.get("/organizations/{organization_id}")
def get_organization(cloud: Context, user: SignedIn, organization_id: str) -> OrganizationView:
    """Show an organization to its members: seats, trial, domains, who is in it."""
    with cloud.database.reading() as session:
        if not user.is_admin and find_member(session, organization_id, user.id) is None:
            raise NotFound("found no such organization")
        return view_organization(session, organization_id, cloud.clock())


@router.delete("/organizations/{organization_id}", status_code=204)
def delete_organization_page(cloud: Context, user: SignedIn, organization_id: str) -> None:
    """End an organization: by an owner or an administrator."""
    with cloud.transaction() as work:
        if not user.is_admin:
            require_owner(work, organization_id, user.id)
        delete_organization(work, organization_id)


@router.post("/organizations/{organization_id}/plan")
def post_plan(cloud: Context, user: SignedIn, organization_id: str, wish: PlanRequest) -> ChangeAnswer:
    """Put an organization on another plan: by an owner."""
    with cloud.transaction() as work:
        require_owner(work, organization_id, user.id)
        return ChangeAnswer(changed=change_plan(work, organization_id, wish.plan))


@router.post("/organizations/{organization_id}/invitations", status_code=202)
def post_invitation(cloud: Context, user: SignedIn, organization_id: str, wish: InvitationRequest) -> None:
    """Invite an address."""
    invite(cloud, user.id, organization_id, wish.email, wish.role)


@router.post("/invitations/accept")
def post_acceptance(cloud: Context, user: SignedIn, token: Annotated[str, Form()]) -> OrganizationAnswer:
    """Join the organization that the letter named."""
    return OrganizationAnswer(organization_id=accept_invitation(cloud, user, token))


@router.delete("/organizations/{organization_id}/members/{member_id}", status_code=204)
def delete_member(cloud: Context, user: SignedIn, organization_id: str, member_id: str) -> None:
    """Remove a member: anybody by an owner or by the company, a plain member by the organization's administrator."""
    with cloud.transaction() as work:
        if not user.is_admin:
            require_role(work, organization_id, user.id, Role.OWNER, Role.ADMIN)
            own, other = (find_member(work.session, organization_id, one) for one in (user.id, member_id))
            if own is not None and other is not None and own.role == Role.ADMIN and other.role != Role.MEMBER:
                raise Forbidden("this needs an owner of the organization")
        if not remove_member(work, organization_id, member_id, spares_last_owner=not user.is_admin):
            raise NotFound("found no such member")


@router.post("/organizations/{organization_id}/members/{member_id}/role")
def post_role(cloud: Context, user: SignedIn, organization_id: str, member_id: str, wish: RoleRequest) -> ChangeAnswer:
    """Give a member another role: by an owner."""
    with cloud.transaction() as work:
        require_owner(work, organization_id, user.id)
        return ChangeAnswer(changed=change_role(work, organization_id, member_id, wish.role))


@router.post("/organizations/{organization_id}/leave", status_code=204)
def post_leave(cloud: Context, user: SignedIn, organization_id: str) -> None:
    """Leave an organization; its last owner stays."""
    with cloud.transaction() as work:
        if not remove_member(work, organization_id, user.id):
            raise NotFound("found no membership to end")


@router.post("/organizations/{organization_id}/sso-domains", status_code=202)
def post_domain(cloud: Context, user: SignedIn, organization_id: str, wish: DomainRequest) -> None:
    """Claim a domain for the sign-on: by an owner; an administrator of the company verifies it."""
    with cloud.transaction() as work:
        require_owner(work, organization_id, user.id)
        claim_domain(work, organization_id, wish.domain)


@router.delete("/organizations/{organization_id}/sso-domains/{domain}", status_code=204)
def delete_domain(cloud: Context, user: SignedIn, organization_id: str, domain: str) -> None:
    """Take a domain away: by an owner or an administrator."""
    with cloud.transaction() as work:
        if not user.is_admin:
            require_owner(work, organization_id, user.id)
        if not drop_domain(work, organization_id, domain):
            raise NotFound("found no such domain")
