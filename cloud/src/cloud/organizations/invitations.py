"""Joining by invitation: a letter to an address, accepted by whoever proves that the address is his."""

from uuid import uuid4

from cloud.accounts.email_links import link_address, normalised
from cloud.accounts.models import User
from cloud.context import Cloud
from cloud.errors import Forbidden, InvalidToken
from cloud.mail.service import Letter
from cloud.organizations.models import Invitation
from cloud.organizations.service import add_member, existing_organization, require_owner
from cloud.tokens import Purpose

INVITATION_SECONDS = 7 * 86_400


def invite(cloud: Cloud, inviter_id: str, organization_id: str, email: str, role: str) -> None:
    """Send an invitation in an owner's name."""
    with cloud.transaction() as work:
        organization = require_owner(work, organization_id, inviter_id)
        invitation = Invitation(
            id=uuid4().hex, organization_id=organization.id, email=email, role=role, invited_at=work.now
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
    """Make the invited user a member and return the organization's id; a member already stays one."""
    with cloud.transaction() as work:
        invitation_id = cloud.signer.read(Purpose.INVITATION, token, INVITATION_SECONDS)
        invitation = work.session.get(Invitation, invitation_id)
        if invitation is None or invitation.accepted_at is not None:
            raise InvalidToken
        if normalised(invitation.email) != user.email_normalised:
            raise Forbidden("the invitation is for another address")
        invitation.accepted_at = work.now
        organization = existing_organization(work, invitation.organization_id)
        add_member(work, organization, user.id, invitation.role)
        return organization.id
