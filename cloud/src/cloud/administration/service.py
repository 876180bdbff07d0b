"""Blocking and unblocking: each real change is noted and reported once, with actor and reason."""

from abuse_client import events
from cloud.accounts.models import User
from cloud.accounts.profile import locked_user
from cloud.accounts.sessions import Kind, end_sessions
from cloud.administration.audit import note
from cloud.database import LOCK, epoch_ms
from cloud.transactions import Work


def block_user(work: Work, user_id: str, reason: str, actor_email: str | None) -> bool:
    """Block the user and say whether that is new; another reason for a block in force is no new block."""
    return block(work, locked_user(work, user_id), reason, actor_email)


def unblock_user(work: Work, user_id: str, reason: str, actor_email: str) -> bool:
    """Lift the block and say whether there was one."""
    return unblock(work, locked_user(work, user_id), reason, actor_email)


def ban_automatically(work: Work, user_id: str, rule: str) -> bool:
    """Block by a rule, in nobody's name, and say whether it did; a block in force stays as it is."""
    user = work.session.get(User, user_id, with_for_update=LOCK)
    if user is None or user.deleted_at is not None or user.blocked_at is not None:
        return False
    return block(work, user, f"automatic: {rule}", actor_email=None)


def block(work: Work, user: User, reason: str, actor_email: str | None) -> bool:
    """Block a user who is locked."""
    if user.blocked_at is not None:
        change_reason(work, user, reason, actor_email)
        return False
    user.blocked_at, user.blocked_reason = work.now, reason
    # Programs keep their token: they are told that the account is blocked, and go on when the block is lifted.
    end_sessions(work, user.id, Kind.PAGE)
    entry = note(work, "blocked", actor_email=actor_email, reason=reason, user_id=user.id)
    work.report_after_commit(
        events.user_blocked(
            kilo_user_id=user.id,
            reason=reason,
            actor_email=actor_email,
            # When we blocked, even if a webhook that made us do it tells of an earlier time.
            occurred_at=epoch_ms(work.now),
            event_id=entry.id,
        )
    )
    return True


def change_reason(work: Work, user: User, reason: str, actor_email: str | None) -> None:
    if user.blocked_reason != reason:
        user.blocked_reason = reason
        note(work, "reason_changed", actor_email=actor_email, reason=reason, user_id=user.id)


def unblock(work: Work, user: User, reason: str, actor_email: str) -> bool:
    """Lift the block of a user who is locked."""
    if user.blocked_at is None:
        return False
    user.blocked_at = user.blocked_reason = None
    entry = note(work, "unblocked", actor_email=actor_email, reason=reason, user_id=user.id)
    work.report_after_commit(
        events.user_unblocked(
            kilo_user_id=user.id,
            reason=reason,
            actor_email=actor_email,
            occurred_at=epoch_ms(work.now),
            event_id=entry.id,
        )
    )
    return True
