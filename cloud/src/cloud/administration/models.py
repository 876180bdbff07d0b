"""Who did what, and the domains that nobody may come from."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class AuditEntry(Base):
    """One thing that an administrator or a rule did; a rule has no address. Actions are an open set."""

    __tablename__ = "audit_entries"

    id: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organizations.id"))
    subject: Mapped[str | None]
    """What else it was about: a domain, a code, a dispute."""
    reason: Mapped[str]
    actor_email: Mapped[str | None]
    done_at: Mapped[datetime] = mapped_column(index=True)


class BlacklistedDomain(Base):
    """A domain, with all below it, whose addresses open no account."""

    __tablename__ = "blacklisted_domains"
    __table_args__ = (CheckConstraint("domain = lower(domain)", name="domain_is_lower_case"),)

    domain: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    actor_email: Mapped[str]
    added_at: Mapped[datetime]
