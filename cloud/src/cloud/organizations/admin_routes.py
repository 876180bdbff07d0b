"""What the company's administrators do with organizations."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from cloud.accounts.routes import EmailAddress
from cloud.accounts.sessions import Admin
from cloud.context import Context
from cloud.organizations.founding import TRIAL_SEATS, create_organization, set_seats
from cloud.organizations.roles import Role
from cloud.organizations.routes import ChangeAnswer, OrganizationAnswer, Plan
from cloud.organizations.service import add_member
from cloud.organizations.sponsorships import Sponsorship, import_sponsorships
from cloud.organizations.sso import verify_domain

router = APIRouter(prefix="/admin/organizations", tags=["administration"])

MAX_SEATS = 100_000
Seats = Annotated[int, Field(ge=0, le=MAX_SEATS)]


class FoundingRequest(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    plan: Plan = "teams"
    seats: Seats = TRIAL_SEATS
    owner_id: str | None = None


class MembershipRequest(BaseModel):
    kilo_user_id: str
    role: Role = Role.MEMBER


class SeatsRequest(BaseModel):
    seats: Seats


class SponsorshipLine(BaseModel):
    sponsorship_id: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200)
    owner_email: EmailAddress
    plan: Plan = "teams"
    seats: Seats = TRIAL_SEATS


class SponsorshipList(BaseModel):
    lines: list[SponsorshipLine] = Field(min_length=1, max_length=1_000)


class SponsorshipAnswer(BaseModel):
    founded: list[str]


@router.post("", status_code=201)
def post_founding(cloud: Context, admin: Admin, wish: FoundingRequest) -> OrganizationAnswer:
    """Found an organization; its owner may come later."""
    with cloud.transaction() as work:
        organization = create_organization(
            work, owner_id=wish.owner_id, name=wish.name, plan=wish.plan, seats=wish.seats
        )
    return OrganizationAnswer(organization_id=organization.id)


@router.post("/{organization_id}/members")
def post_member(cloud: Context, admin: Admin, organization_id: str, wish: MembershipRequest) -> ChangeAnswer:
    """Make a user a member."""
    with cloud.transaction() as work:
        return ChangeAnswer(changed=add_member(work, organization_id, wish.kilo_user_id, wish.role))


@router.post("/{organization_id}/seats")
def post_seats(cloud: Context, admin: Admin, organization_id: str, wish: SeatsRequest) -> ChangeAnswer:
    """Set how many members there may be."""
    with cloud.transaction() as work:
        return ChangeAnswer(changed=set_seats(work, organization_id, wish.seats))


@router.post("/{organization_id}/sso-domains/{domain}/verify")
def post_verification(cloud: Context, admin: Admin, organization_id: str, domain: str) -> ChangeAnswer:
    """Let the people of a claimed domain sign on."""
    with cloud.transaction() as work:
        return ChangeAnswer(changed=verify_domain(work, organization_id, domain, admin.id))


@router.post("/sponsorships")
def post_sponsorships(cloud: Context, admin: Admin, wish: SponsorshipList) -> SponsorshipAnswer:
    """Import a sponsor's list; what was imported before stays as it is."""
    lines = [Sponsorship(**line.model_dump()) for line in wish.lines]
    return SponsorshipAnswer(founded=import_sponsorships(cloud, lines))
