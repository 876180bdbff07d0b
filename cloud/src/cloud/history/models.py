"""The history of accounts, and how far a backfill of it has come."""

from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class Happening(Base):
    """One thing that happened, with the words in which it was reported. Nothing here says whether it arrived."""

    __tablename__ = "happenings"
    __table_args__ = (Index("ix_happenings_occurred_at_ms_id", "occurred_at_ms", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    """The event's id on the wire, by which a second report counts as the same."""
    type: Mapped[str]
    user_id: Mapped[str | None] = mapped_column(index=True)
    organization_id: Mapped[str | None] = mapped_column(index=True)
    occurred_at_ms: Mapped[int]
    actor_email: Mapped[str | None]
    """Apart from the rest, so that whoever acted can be forgotten too."""
    told: Mapped[dict[str, Any]] = mapped_column(JSON)


class BackfillCursor(Base):
    """How far the backfill of one abuse service has come; the row goes when it is through."""

    __tablename__ = "backfill_cursors"

    address: Mapped[str] = mapped_column(primary_key=True)
    reached_ms: Mapped[int]
