"""Organizations, their members, their invitations, the domains that sign on by them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class Organization(Base):
    """A team. A deleted one keeps its row; its members' rows go."""

    __tablename__ = "organizations"
    __table_args__ = (CheckConstraint("seats >= 0", name="seats_are_positive"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    plan: Mapped[str]
    has_sso: Mapped[bool] = mapped_column(default=False)
    """Whether a verified domain signs on by it."""
    seats: Mapped[int]
    """How many members there may be; who is in beyond a lowered number stays."""
    trial_ends_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    announced_at: Mapped[datetime | None]
    """When `org.created` was told, with the first owner; null while nobody owns it yet."""
    deleted_at: Mapped[datetime | None]
    stripe_customer_id: Mapped[str | None] = mapped_column(unique=True)
    sponsorship_id: Mapped[str | None] = mapped_column(unique=True)
    """Of the sponsor's list that it was imported from."""

    def is_in_free_trial(self, now: datetime) -> bool:
        return self.trial_ends_at is not None and now < self.trial_ends_at


class Member(Base):
    """A user in an organization; once at most."""

    __tablename__ = "members"
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member')", name="role_is_known"),)

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str]
    joined_at: Mapped[datetime]


class Invitation(Base):
    """An invitation by letter; accepted once."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), index=True)
    email: Mapped[str]
    email_normalised: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)
    """Whose address it was, once that is known: who accepted, or who has moved to another address since."""
    role: Mapped[str]
    invited_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]


class SsoDomain(Base):
    """A domain whose people sign on by the organization, once an administrator has verified that it is theirs."""

    __tablename__ = "sso_domains"
    __table_args__ = (
        # Many may claim a domain, one has it.
        Index(
            "ix_sso_domains_verified_domain",
            "domain",
            unique=True,
            sqlite_where=text("verified_at IS NOT NULL"),
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    domain: Mapped[str] = mapped_column(primary_key=True)
    claimed_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    verified_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
