"""Joining by invitation: a letter to an address, accepted by whoever proves that the address is his."""

from uuid import uuid4

from sqlalchemy import update

from cloud.accounts.email_links import link_address
from cloud.accounts.models import User
from cloud.addresses import normalised
from cloud.context import Cloud
from cloud.errors import Forbidden, InvalidToken
from cloud.mail.service import Letter
from cloud.organizations.models import Invitation
from cloud.organizations.roles import Role, require_role
from cloud.organizations.service import add_member
from cloud.tokens import Purpose
from cloud.transactions import Work

INVITATION_SECONDS = 7 * 86_400


def invite(cloud: Cloud, inviter_id: str, organization_id: str, email: str, role: str) -> None:
    """Send an invitation in an owner's or an administrator's name; only an owner makes more than members."""
    needed = [Role.OWNER, Role.ADMIN] if role == Role.MEMBER else [Role.OWNER]
    with cloud.transaction() as work:
        require_role(work, organization_id, inviter_id, *needed)
        send_invitation(cloud, work, organization_id, email, role)


def send_invitation(cloud: Cloud, work: Work, organization_id: str, email: str, role: str) -> None:
    """Write the letter with the link."""
    invitation = Invitation(
        id=uuid4().hex,
        organization_id=organization_id,
        email=email,
        email_normalised=normalised(email),
        role=role,
        invited_at=work.now,
    )
    work.session.add(invitation)
    token = cloud.signer.sign(Purpose.INVITATION, invitation.id)
    cloud.mailer.send(
        work,
        Letter(
            recipient=email,
            subject="An invitation",
            text="Open the link to join.",
            link=link_address(cloud, "/invitations", token),
        ),
    )


def accept_invitation(cloud: Cloud, user: User, token: str) -> str:
    """Make the invited user a member and return the organization's id; a member already stays one.

    Without a free seat it raises `SeatsTaken`, and the invitation can be accepted later.
    """
    invitation_id = cloud.signer.read(Purpose.INVITATION, token, INVITATION_SECONDS)
    with cloud.transaction() as work:
        invitation = work.session.get(Invitation, invitation_id)
        if invitation is None or invitation.accepted_at is not None:
            raise InvalidToken
        if invitation.email_normalised != user.email_normalised:
            raise Forbidden("the invitation is for another address")
        add_member(work, invitation.organization_id, user.id, invitation.role)
        # The organization is locked by now; of two who accept at once the second finds it accepted.
        open_one = update(Invitation).where(Invitation.id == invitation_id, Invitation.accepted_at.is_(None))
        accepted = open_one.values(accepted_at=work.now, user_id=user.id).returning(Invitation.id)
        if work.session.scalars(accepted).first() is None:
            raise InvalidToken
        return invitation.organization_id
