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


ENDED = frozenset({"canceled", "incomplete_expired", "unpaid"})
"""What Stripe calls a subscription that is over."""


class KiloPass(Base):
    """A user's monthly pass. Tiers are an open set; the status is Stripe's."""

    __tablename__ = "kilo_passes"
    __table_args__ = (CheckConstraint("streak_months >= 0", name="streak_is_positive"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tier: Mapped[str | None]
    status: Mapped[str | None]
    subscription_id: Mapped[str | None]
    streak_months: Mapped[int]
    is_cancelling: Mapped[bool]
    subscription_at: Mapped[datetime]
    """When Stripe said the last of the subscription that we know; an older word comes too late."""
    changed_at: Mapped[datetime]
    """When tier, status or streak last changed; no two changes of one pass share it."""

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


class SeatSubscription(Base):
    """The seats that an organization pays for; the status is Stripe's."""

    __tablename__ = "seat_subscriptions"
    __table_args__ = (CheckConstraint("seats >= 0", name="seats_are_positive"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    subscription_id: Mapped[str]
    status: Mapped[str]
    seats: Mapped[int]
    subscription_at: Mapped[datetime]
    """When Stripe said the last of it that we know."""

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


class AutoTopUp(Base):
    """When and with what card an account is topped up by itself, and the attempt in flight."""

    __tablename__ = "auto_top_ups"
    __table_args__ = (
        CheckConstraint("amount_cents > 0 AND threshold_microdollars > 0", name="moves_something"),
        CheckConstraint("(attempt_id IS NULL) = (attempted_at IS NULL)", name="attempt_has_a_time"),
    )

    account: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    """Who set it up and is written to."""
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    threshold_microdollars: Mapped[int]
    amount_cents: Mapped[int]
    card_id: Mapped[str]
    is_on: Mapped[bool]
    attempt_id: Mapped[str | None] = mapped_column(unique=True)
    attempted_at: Mapped[datetime | None]


class PromoCode(Base):
    """A code that gives credits, to so many users and until then."""

    __tablename__ = "promo_codes"
    __table_args__ = (CheckConstraint("microdollars > 0", name="gives_something"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    microdollars: Mapped[int]
    most_redemptions: Mapped[int | None]
    redemptions: Mapped[int]
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Redemption(Base):
    """A user's use of a code; once at most."""

    __tablename__ = "redemptions"

    code: Mapped[str] = mapped_column(ForeignKey("promo_codes.code"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    redeemed_at: Mapped[datetime]


class StripeOwner(Base):
    """Whose a Stripe id is: a user's, an organization's, or both."""

    __tablename__ = "stripe_owners"
    __table_args__ = (CheckConstraint("user_id IS NOT NULL OR organization_id IS NOT NULL", name="somebody_owns_it"),)

    stripe_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
