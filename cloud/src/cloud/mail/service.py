"""Sending letters: the outbox writes them down in the transaction that caused them."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from cloud.addresses import normalised
from cloud.mail.models import OutgoingLetter
from cloud.transactions import Work


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One letter to one person, with at most one link."""

    recipient: str
    subject: str
    text: str
    link: str | None = None
    user_id: str | None = None
    """Whom it is about, where the recipient's address is not the user's."""


class Mailer(Protocol):
    """Takes letters; a letter of a transaction that rolls back is never sent."""

    def send(self, work: Work, letter: Letter) -> None: ...

    def forget(self, work: Work, user_id: str, email: str) -> None: ...


class NullMailer:
    """Drops every letter."""

    def send(self, work: Work, letter: Letter) -> None:
        return

    def forget(self, work: Work, user_id: str, email: str) -> None:
        return


class OutboxMailer:
    """Writes letters to the outbox table."""

    def send(self, work: Work, letter: Letter) -> None:
        work.session.add(
            OutgoingLetter(
                recipient=letter.recipient,
                recipient_normalised=normalised(letter.recipient),
                user_id=letter.user_id,
                subject=letter.subject,
                text=letter.text,
                link=letter.link,
                written_at=work.now,
            )
        )

    def forget(self, work: Work, user_id: str, email: str) -> None:
        """Drop every letter to the user, under whatever address."""
        to_user = or_(OutgoingLetter.user_id == user_id, OutgoingLetter.recipient_normalised == normalised(email))
        work.session.execute(delete(OutgoingLetter).where(to_user))


def assign_letters(work: Work, user_id: str, email: str) -> None:
    """Remember whose the letters to the address are, before the user moves to another one."""
    to_address = update(OutgoingLetter).where(OutgoingLetter.recipient_normalised == normalised(email))
    work.session.execute(to_address.values(user_id=user_id))


def newest_letter(session: Session, recipient: str) -> OutgoingLetter | None:
    """Return the last letter to the recipient."""
    letters = select(OutgoingLetter).where(OutgoingLetter.recipient_normalised == normalised(recipient))
    return session.scalars(letters.order_by(OutgoingLetter.id.desc()).limit(1)).first()
