"""The webhook events that were taken."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class StripeEvent(Base):
    """A webhook event that was taken; its id is taken once."""

    __tablename__ = "stripe_events"

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    taken_at: Mapped[datetime]
