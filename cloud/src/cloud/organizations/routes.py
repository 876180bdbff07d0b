"""Pages of organizations."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from cloud.accounts.routes import EmailAddress
from cloud.accounts.sessions import SignedIn
from cloud.confirmation import confirmation_page
from cloud.context import Context
from cloud.errors import NotFound
from cloud.organizations.invitations import accept_invitation, invite
from cloud.organizations.service import (
    create_organization,
    delete_organization,
    remove_member,
    require_owner,
)

router = APIRouter(tags=["organizations"])


class OrganizationRequest(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    plan: Literal["teams", "enterprise"] = "teams"


class OrganizationAnswer(BaseModel):
    organization_id: str


class InvitationRequest(BaseModel):
    email: EmailAddress
    role: Literal["owner", "admin", "member"] = "member"


@router.post("/organizations", status_code=201)
def post_organization(cloud: Context, user: SignedIn, wish: OrganizationRequest) -> OrganizationAnswer:
    """Found an organization."""
    with cloud.transaction() as work:
        organization = create_organization(work, user.id, wish.name, wish.plan)
    return OrganizationAnswer(organization_id=organization.id)


@router.delete("/organizations/{organization_id}", status_code=204)
def delete_organization_page(cloud: Context, user: SignedIn, organization_id: str) -> None:
    """End an organization: by an owner or an administrator."""
    with cloud.transaction() as work:
        if not user.is_admin:
            require_owner(work, organization_id, user.id)
        delete_organization(work, organization_id)


@router.post("/organizations/{organization_id}/invitations", status_code=202)
def post_invitation(cloud: Context, user: SignedIn, organization_id: str, wish: InvitationRequest) -> None:
    """Invite an address."""
    invite(cloud, user.id, organization_id, wish.email, wish.role)


@router.get("/invitations")
def get_invitation_page(token: str) -> HTMLResponse:
    """Ask the invited to confirm."""
    return confirmation_page("/invitations/accept", token, "Join")


@router.post("/invitations/accept")
def post_acceptance(cloud: Context, user: SignedIn, token: Annotated[str, Form()]) -> OrganizationAnswer:
    """Join the organization that the letter named."""
    return OrganizationAnswer(organization_id=accept_invitation(cloud, user, token))


@router.delete("/organizations/{organization_id}/members/{member_id}", status_code=204)
def delete_member(cloud: Context, user: SignedIn, organization_id: str, member_id: str) -> None:
    """Remove a member: by an owner or an administrator."""
    with cloud.transaction() as work:
        if not user.is_admin:
            require_owner(work, organization_id, user.id)
        if not remove_member(work, organization_id, member_id):
            raise NotFound("found no such member")


@router.post("/organizations/{organization_id}/leave", status_code=204)
def post_leave(cloud: Context, user: SignedIn, organization_id: str) -> None:
    """Leave an organization."""
    with cloud.transaction() as work:
        if not remove_member(work, organization_id, user.id):
            raise NotFound("found no membership to end")
