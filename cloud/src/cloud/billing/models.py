"""The ledger with its balances, the passes, and the owners of Stripe ids."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class Posting(Base):
    """One movement of money from one account to another, so that the books balance by their very form.

    What came from Stripe is posted once for its id.
    """

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("microdollars > 0", name="moves_something"),
        CheckConstraint("debited <> credited", name="moves_between_two"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    debited: Mapped[str] = mapped_column(index=True)
    credited: Mapped[str] = mapped_column(index=True)
    microdollars: Mapped[int]
    kind: Mapped[str]
    note: Mapped[str | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    posted_at: Mapped[datetime]


class Balance(Base):
    """What a customer's account holds: its credits less its debits, never below nothing."""

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("microdollars >= 0", name="never_negative"),
        CheckConstraint("acquired_microdollars >= microdollars", name="all_was_acquired"),
    )

    account: Mapped[str] = mapped_column(primary_key=True)
    microdollars: Mapped[int]
    acquired_microdollars: Mapped[int]
    """All that ever came in."""


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
