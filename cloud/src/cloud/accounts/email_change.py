"""Changing an address: asked for by the user, confirmed by a link that only the new address gets."""

from sqlalchemy import select

from abuse_client import events
from cloud.accounts.email_links import normalised, send_link, use_link
from cloud.accounts.models import User
from cloud.administration.domains import is_blacklisted
from cloud.context import Cloud
from cloud.errors import Conflict, Forbidden, InvalidToken
from cloud.mail.service import Letter
from cloud.tokens import Purpose
from cloud.transactions import Work


def ask_for_email_change(cloud: Cloud, user_id: str, email: str) -> None:
    """Send a confirmation link to the new address; nothing changes before it is followed."""
    with cloud.transaction() as work:
        send_link(cloud, work, Purpose.EMAIL_CHANGE, email, user_id=user_id)


def confirm_email_change(cloud: Cloud, token: str) -> None:
    """Make the link's address the account's, and tell the old address."""
    with cloud.transaction() as work:
        link = use_link(cloud, work, Purpose.EMAIL_CHANGE, token)
        user = work.session.get(User, link.user_id or "")
        if user is None or user.deleted_at is not None:
            raise InvalidToken
        previous = user.email
        if change_email(work, user, link.email):
            cloud.mailer.send(
                work,
                Letter(recipient=previous, subject="Your address was changed", text="Was it not you? Write to us."),
            )


def change_email(work: Work, user: User, email: str) -> bool:
    """Give the user another address; another spelling of the same one is no change."""
    if normalised(email) == user.email_normalised:
        return False
    if is_blacklisted(work.session, email):
        raise Forbidden("this address cannot be used here; write to support")
    taken = select(User.id).where(User.email_normalised == normalised(email))
    if work.session.scalars(taken).first() is not None:
        raise Conflict("this address belongs to another account")
    previous, user.email = user.email, email
    user.email_normalised = normalised(email)
    work.report_after_commit(
        events.user_email_changed(
            kilo_user_id=user.id, email=email, previous_email=previous, occurred_at=work.occurred_at_ms
        )
    )
    return True
