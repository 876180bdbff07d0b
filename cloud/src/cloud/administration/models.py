"""The history of blocks: what changed, why, by whom."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class BlockChange(Base):
    """One block, unblock or change of a block's reason. A rule's change has no actor."""

    __tablename__ = "block_changes"
    __table_args__ = (CheckConstraint("change IN ('blocked', 'unblocked', 'reason_changed')", name="change_is_known"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    change: Mapped[str]
    reason: Mapped[str]
    actor_email: Mapped[str | None]
    changed_at: Mapped[datetime]
