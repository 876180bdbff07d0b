"""Links in letters: asked for, followed once."""

from urllib.parse import urlencode
from uuid import uuid4

from sqlalchemy import update

from cloud.accounts.models import EmailLink
from cloud.addresses import normalised
from cloud.context import Cloud
from cloud.errors import InvalidToken
from cloud.mail.service import Letter
from cloud.tokens import Purpose
from cloud.transactions import Work

PATHS = {Purpose.SIGN_IN: "/auth/email-link", Purpose.EMAIL_CHANGE: "/account/email/confirm"}


def link_address(cloud: Cloud, path: str, token: str) -> str:
    return f"{cloud.settings.public_url.rstrip('/')}{path}?{urlencode({'token': token})}"


def send_link(
    cloud: Cloud,
    work: Work,
    purpose: Purpose,
    email: str,
    *,
    user_id: str | None = None,
    customer_source: str | None = None,
) -> None:
    """Send a letter with a link that works once, for the time that the settings say."""
    link = EmailLink(
        id=uuid4().hex,
        purpose=purpose.value,
        email=email.strip(),
        email_normalised=normalised(email),
        user_id=user_id,
        customer_source=customer_source,
        asked_at=work.now,
    )
    work.session.add(link)
    address = link_address(cloud, PATHS[purpose], cloud.signer.sign(purpose, link.id))
    cloud.mailer.send(
        work,
        Letter(
            recipient=link.email, subject="Your link", text="Open the link to go on.", link=address, user_id=user_id
        ),
    )


def use_link(cloud: Cloud, work: Work, purpose: Purpose, token: str) -> EmailLink:
    """Return the link that the token stands for and use it up, or raise `InvalidToken`; of two at once one gets it."""
    link_id = cloud.signer.read(purpose, token, cloud.settings.email_link_seconds)
    fresh = update(EmailLink).where(EmailLink.id == link_id, EmailLink.purpose == purpose.value)
    used = fresh.where(EmailLink.used_at.is_(None)).values(used_at=work.now).returning(EmailLink)
    link = work.session.scalars(used).one_or_none()
    if link is None:
        raise InvalidToken
    return link
