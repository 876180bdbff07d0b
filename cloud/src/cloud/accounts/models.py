"""Users and what belongs to their identity."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
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
    """A way to sign in, or a profile elsewhere, that the user has proved: one of each provider."""

    __tablename__ = "linked_providers"
    __table_args__ = (Index("ix_linked_providers_provider_subject", "provider", "subject", unique=True),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str | None]
    """The provider's own id of the person, nobody else's; null for e-mail, where the account's address is the key."""
    linked_at: Mapped[datetime]


class SignInAttempt(Base):
    """Somebody who was sent to a provider and has not come back yet. The row goes when he does."""

    __tablename__ = "sign_in_attempts"

    state: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    browser: Mapped[str]
    """Hash of the secret in the browser's cookie: nobody comes back in another one."""
    nonce: Mapped[str | None]
    code_verifier: Mapped[str]
    return_to: Mapped[str]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    """Who links the provider to the account he is signed in to; null at a sign-in."""
    sso_domain: Mapped[str | None]
    customer_source: Mapped[str | None]
    telemetry_id: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(index=True)


class UserSession(Base):
    """One sign-in that goes on: on pages by a cookie, at the API by a bearer token."""

    __tablename__ = "user_sessions"
    __table_args__ = (CheckConstraint("kind IN ('page', 'api')", name="kind_is_known"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str]
    started_at: Mapped[datetime]


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
    email_normalised: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    customer_source: Mapped[str | None]
    asked_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
