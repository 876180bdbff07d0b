"""Users and what belongs to their identity."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class User(Base):
    """One account. `blocked_at` is the one source of truth for blocking."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("(blocked_at IS NULL) = (blocked_reason IS NULL)", name="block_has_a_reason"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_normalised: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    blocked_at: Mapped[datetime | None]
    blocked_reason: Mapped[str | None]
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_bot: Mapped[bool] = mapped_column(default=False)
    hosted_domain: Mapped[str | None]
    customer_source: Mapped[str | None]
    signup_ip: Mapped[str | None]
    signup_ja4_digest: Mapped[str | None]
    signup_geo_country: Mapped[str | None]
    completed_welcome_form: Mapped[bool] = mapped_column(default=False)
    linkedin_url: Mapped[str | None]
    github_url: Mapped[str | None]
    has_discord_verified: Mapped[bool] = mapped_column(default=False)
    stripe_customer_id: Mapped[str | None] = mapped_column(unique=True)


class LinkedProvider(Base):
    """A way to sign in that the user has proved."""

    __tablename__ = "linked_providers"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    linked_at: Mapped[datetime]


class CohortMember(Base):
    """A user in a named cohort."""

    __tablename__ = "cohort_members"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    cohort: Mapped[str] = mapped_column(primary_key=True)


class CheckedDevice(Base):
    """What one device check said; the latest row of a user counts."""

    __tablename__ = "checked_devices"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    checked_at: Mapped[datetime]
    session_id: Mapped[str | None]
    verdict_action: Mapped[str]
    is_authentic_device: Mapped[bool | None]
    device_type: Mapped[str | None]
    hardware_fingerprint: Mapped[str | None]


class EmailLink(Base):
    """A link in a letter: good for one use."""

    __tablename__ = "email_links"

    id: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    email: Mapped[str]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    customer_source: Mapped[str | None]
    asked_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
