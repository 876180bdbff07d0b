"""The outbox table."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class OutgoingLetter(Base):
    """A letter that waits to be carried; whoever delivers mail drains this table."""

    __tablename__ = "outgoing_letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    recipient_normalised: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    """Whom it is about, where it went to an address that is not the user's now."""
    subject: Mapped[str]
    text: Mapped[str]
    link: Mapped[str | None]
    written_at: Mapped[datetime]
