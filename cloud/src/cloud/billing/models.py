"""The ledger, the passes, and the owners of Stripe ids."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class LedgerEntry(Base):
    """One movement of a user's credits. What came from Stripe is booked once for its id."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("microdollars <> 0", name="moves_something"),
        CheckConstraint("kind IN ('purchase', 'pass', 'grant', 'usage')", name="kind_is_known"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    microdollars: Mapped[int]
    kind: Mapped[str]
    note: Mapped[str | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    booked_at: Mapped[datetime]


class KiloPass(Base):
    """A user's monthly pass. Tiers are an open set; the status is Stripe's."""

    __tablename__ = "kilo_passes"
    __table_args__ = (CheckConstraint("streak_months >= 0", name="streak_is_positive"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tier: Mapped[str | None]
    status: Mapped[str | None]
    streak_months: Mapped[int]
    is_cancelling: Mapped[bool]
    subscription_at: Mapped[datetime]
    """When Stripe said the last of the subscription that we know; an older word comes too late."""
    changed_at: Mapped[datetime]
    """When tier, status or streak last changed; no two changes of one pass share it."""


class StripeOwner(Base):
    """Whose a Stripe id is: a user's, an organization's, or both."""

    __tablename__ = "stripe_owners"
    __table_args__ = (CheckConstraint("user_id IS NOT NULL OR organization_id IS NOT NULL", name="somebody_owns_it"),)

    stripe_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
