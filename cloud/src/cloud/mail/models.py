"""The outbox table."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class OutgoingLetter(Base):
    """A letter that waits to be carried; whoever delivers mail drains this table."""

    __tablename__ = "outgoing_letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    text: Mapped[str]
    link: Mapped[str | None]
    written_at: Mapped[datetime]
