"""Changing an address: asked for by the user, confirmed by a link that only the new address gets."""

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from abuse_client import events
from cloud.accounts.email_links import send_link, use_link
from cloud.accounts.models import EmailLink, User
from cloud.accounts.profile import locked_user
from cloud.addresses import normalised
from cloud.administration.domains import is_blacklisted
from cloud.context import Cloud
from cloud.errors import Conflict, Forbidden, InvalidToken, NotFound
from cloud.mail.service import Letter, assign_letters
from cloud.organizations.models import Invitation
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
        try:
            user = locked_user(work, link.user_id or "")
        except NotFound:
            raise InvalidToken from None
        previous = user.email
        if change_email(work, user, link.email):
            text = "Was it not you? Write to us."
            notice = Letter(recipient=previous, subject="Your address was changed", text=text, user_id=user.id)
            cloud.mailer.send(work, notice)


def change_email(work: Work, user: User, email: str) -> bool:
    """Give the user another address; another spelling of the same one is no change."""
    # The previous address is the one that stands when nobody else can change it any more.
    user = locked_user(work, user.id)
    if normalised(email) == user.email_normalised:
        return False
    if is_blacklisted(work.session, email):
        raise Forbidden("this address cannot be used here; write to support")
    taken = select(User.id).where(User.email_normalised == normalised(email))
    if work.session.scalars(taken).first() is not None:
        raise Conflict("this address belongs to another account")
    remember_whose(work, user)
    previous, user.email = user.email, email
    user.email_normalised = normalised(email)
    # Who administers is told by the address: the next sign-in looks again.
    user.is_admin = False
    try:
        work.session.flush()
    except IntegrityError:
        raise Conflict("this address belongs to another account") from None
    work.report_after_commit(
        events.user_email_changed(
            kilo_user_id=user.id,
            email=email,
            previous_email=previous,
            occurred_at=work.occurred_at_ms,
            event_id=work.new_event_id(),
        )
    )
    return True


def remember_whose(work: Work, user: User) -> None:
    """Note on all that was written to the address whose it was: the user's deletion takes it along."""
    for table in (EmailLink, Invitation):
        to_address = update(table).where(table.email_normalised == user.email_normalised)
        work.session.execute(to_address.values(user_id=user.id))
    assign_letters(work, user.id, user.email)
