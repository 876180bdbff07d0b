"""The list of who did what, to whom and why; written in the transaction that does it."""

from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from cloud.administration.models import AuditEntry
from cloud.transactions import Work


def note(
    work: Work,
    action: str,
    *,
    actor_email: str | None,
    reason: str,
    user_id: str | None = None,
    organization_id: str | None = None,
    subject: str | None = None,
) -> AuditEntry:
    """Write down what is being done; it stands if that is committed."""
    entry = AuditEntry(
        id=uuid4().hex,
        action=action,
        user_id=user_id,
        organization_id=organization_id,
        subject=subject,
        reason=reason,
        actor_email=actor_email,
        done_at=work.now,
    )
    work.session.add(entry)
    return entry


def list_entries(
    session: Session, *, user_id: str | None, action: str | None, actor_email: str | None, limit: int
) -> list[AuditEntry]:
    """Return what was done, the newest first."""
    wanted = {AuditEntry.user_id: user_id, AuditEntry.action: action, AuditEntry.actor_email: actor_email}
    entries = select(AuditEntry).where(*(column == value for column, value in wanted.items() if value is not None))
    return list(session.scalars(entries.order_by(AuditEntry.done_at.desc(), AuditEntry.id).limit(limit)))
