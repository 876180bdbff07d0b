"""Teams: found one, invite, join, give roles, buy seats and credits, leave."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from cloud.accounts.cross_site import SameSite
from cloud.accounts.routes import Token
from cloud.billing.ledger import balance_of
from cloud.billing.owners import Owner
from cloud.billing.purchases import SEAT_CENTS, buy_seats, require_payer
from cloud.organizations import routes
from cloud.organizations.invitations import accept_invitation
from cloud.organizations.roles import Role, find_member
from cloud.pages.page import AnyPage, OwnPage

router = APIRouter(include_in_schema=False, dependencies=[SameSite])


@router.get("/teams")
def get_teams(page: OwnPage) -> Response:
    """List one's teams, and offer to found another."""
    return page.show("teams.html", teams=routes.get_organizations(page.cloud, page.user))


@router.post("/teams")
def post_team(page: OwnPage, wish: Annotated[routes.OrganizationRequest, Form()]) -> Response:
    """Found a team."""
    founded = routes.post_organization(page.cloud, page.user, wish)
    return page.go(f"/teams/{founded.organization_id}", "The team is founded.")


@router.get("/teams/{organization_id}")
def get_team(page: OwnPage, organization_id: str) -> Response:
    """Show a team to its members, and to each what his role lets him do."""
    team = routes.get_organization(page.cloud, page.user, organization_id)
    with page.cloud.database.reading() as session:
        own = find_member(session, organization_id, page.user.id)
        balance = balance_of(session, Owner(organization_id=organization_id))
    role = own.role if own is not None else None
    return page.show("team.html", team=team, role=role, roles=list(Role), balance=balance, seat_cents=SEAT_CENTS)


@router.post("/teams/{organization_id}/invite")
def post_invitation(page: OwnPage, organization_id: str, wish: Annotated[routes.InvitationRequest, Form()]) -> Response:
    """Invite an address."""
    routes.post_invitation(page.cloud, page.user, organization_id, wish)
    return page.go(f"/teams/{organization_id}", f"An invitation is on its way to {wish.email}.")


@router.post("/teams/{organization_id}/members/{member_id}/role")
def post_role(
    page: OwnPage, organization_id: str, member_id: str, wish: Annotated[routes.RoleRequest, Form()]
) -> Response:
    """Give a member another role."""
    routes.post_role(page.cloud, page.user, organization_id, member_id, wish)
    return page.go(f"/teams/{organization_id}", "The role is changed.")


@router.post("/teams/{organization_id}/members/{member_id}/remove")
def post_removal(page: OwnPage, organization_id: str, member_id: str) -> Response:
    """Remove a member."""
    routes.delete_member(page.cloud, page.user, organization_id, member_id)
    return page.go(f"/teams/{organization_id}", "The member is removed.")


@router.post("/teams/{organization_id}/leave")
def post_leave(page: OwnPage, organization_id: str) -> Response:
    """Leave the team."""
    routes.post_leave(page.cloud, page.user, organization_id)
    return page.go("/teams", "You left the team.")


@router.post("/teams/{organization_id}/delete")
def post_deletion(page: OwnPage, organization_id: str) -> Response:
    """End the team."""
    routes.delete_organization_page(page.cloud, page.user, organization_id)
    return page.go("/teams", "The team is no more.")


@router.post("/teams/{organization_id}/seats")
def post_seats(page: OwnPage, organization_id: str, seats: Annotated[int, Form(ge=1, le=10_000)]) -> Response:
    """Send the owner to the page on which seats are paid for."""
    owner = require_payer(page.cloud, page.user.id, organization_id)
    return RedirectResponse(buy_seats(page.cloud, owner, seats).url, 303)


@router.get("/invitations")
def get_invitation(page: AnyPage, token: str) -> Response:
    """Ask the invited to join, once he is signed in."""
    return page.show("invitation.html", token=token)


@router.post("/invitations/join")
def post_acceptance(page: OwnPage, token: Token) -> Response:
    """Join the team that the letter named."""
    organization_id = accept_invitation(page.cloud, page.user, token)
    return page.go(f"/teams/{organization_id}", "Welcome to the team.")
