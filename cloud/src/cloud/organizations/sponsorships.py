"""Organizations that a sponsor pays for, imported from his list: each once, with the owner when he is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from cloud.accounts.models import User
from cloud.addresses import normalised
from cloud.context import Cloud
from cloud.organizations.founding import create_organization
from cloud.organizations.invitations import send_invitation
from cloud.organizations.models import Organization
from cloud.organizations.roles import Role
from cloud.transactions import Work


@dataclass(frozen=True, kw_only=True)
class Sponsorship:
    """One line of the list."""

    sponsorship_id: str
    name: str
    owner_email: str
    plan: str
    seats: int


def import_sponsorships(cloud: Cloud, lines: Sequence[Sponsorship]) -> list[str]:
    """Found the organizations that are new and return their ids; each line commits by itself, and counts once."""
    founded: list[str] = []
    for line in lines:
        organization_id = cloud.settle(partial(import_line, cloud, line))
        if organization_id is not None:
            founded.append(organization_id)
    return founded


def import_line(cloud: Cloud, line: Sponsorship, work: Work) -> str | None:
    """Found the line's organization; an owner without an account is invited, and the event waits for him."""
    known = select(Organization.id).where(Organization.sponsorship_id == line.sponsorship_id)
    if work.session.scalars(known).first() is not None:
        return None
    owner = select(User.id).where(User.email_normalised == normalised(line.owner_email))
    owner_id = work.session.scalars(owner).one_or_none()
    organization = create_organization(
        work,
        owner_id=owner_id,
        name=line.name,
        plan=line.plan,
        seats=line.seats,
        has_trial=False,
        sponsorship_id=line.sponsorship_id,
    )
    if owner_id is None:
        send_invitation(cloud, work, organization.id, line.owner_email, Role.OWNER)
    return organization.id
