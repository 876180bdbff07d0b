"""Sending letters: the outbox writes them down in the transaction that caused them."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cloud.mail.models import OutgoingLetter
from cloud.transactions import Work


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One letter to one person, with at most one link."""

    recipient: str
    subject: str
    text: str
    link: str | None = None


class Mailer(Protocol):
    """Takes letters; a letter of a transaction that rolls back is never sent."""

    def send(self, work: Work, letter: Letter) -> None: ...

    def forget(self, work: Work, recipient: str) -> None: ...


class NullMailer:
    """Drops every letter."""

    def send(self, work: Work, letter: Letter) -> None:
        return

    def forget(self, work: Work, recipient: str) -> None:
        return


class OutboxMailer:
    """Writes letters to the outbox table."""

    def send(self, work: Work, letter: Letter) -> None:
        work.session.add(
            OutgoingLetter(
                recipient=letter.recipient,
                subject=letter.subject,
                text=letter.text,
                link=letter.link,
                written_at=work.now,
            )
        )

    def forget(self, work: Work, recipient: str) -> None:
        work.session.execute(delete(OutgoingLetter).where(OutgoingLetter.recipient == recipient))


def newest_letter(session: Session, recipient: str) -> OutgoingLetter | None:
    """Return the last letter to the recipient."""
    letters = select(OutgoingLetter).where(OutgoingLetter.recipient == recipient)
    return session.scalars(letters.order_by(OutgoingLetter.id.desc()).limit(1)).first()
