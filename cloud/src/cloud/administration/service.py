"""Blocking and unblocking: each real change is kept in the history and reported once, with actor and reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from abuse_client import events
from cloud.accounts.models import User
from cloud.accounts.profile import existing_user
from cloud.accounts.sessions import Kind, end_sessions
from cloud.administration.models import BlockChange
from cloud.context import Cloud
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.transactions import Work


@dataclass(kw_only=True)
class BulkBlock:
    """What a bulk block did, by user id."""

    blocked: list[str] = field(default_factory=list)
    already_blocked: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def block_user(work: Work, user_id: str, reason: str, actor_email: str | None) -> bool:
    """Block the user and say whether that is new; another reason for a block in force is no new block."""
    user = existing_user(work, user_id)
    if user.blocked_at is not None:
        change_block_reason(work, user, reason, actor_email)
        return False
    user.blocked_at, user.blocked_reason = work.now, reason
    # Programs keep their token: they are told that the account is blocked, and go on when the block is lifted.
    end_sessions(work, user_id, Kind.PAGE)
    change = keep_change(work, user_id, "blocked", reason, actor_email)
    work.report_after_commit(
        events.user_blocked(
            kilo_user_id=user_id,
            reason=reason,
            actor_email=actor_email,
            occurred_at=work.occurred_at_ms,
            event_id=change.id,
        )
    )
    return True


def change_block_reason(work: Work, user: User, reason: str, actor_email: str | None) -> None:
    if user.blocked_reason != reason:
        user.blocked_reason = reason
        keep_change(work, user.id, "reason_changed", reason, actor_email)


def unblock_user(work: Work, user_id: str, reason: str, actor_email: str) -> bool:
    """Lift the block and say whether there was one."""
    user = existing_user(work, user_id)
    if user.blocked_at is None:
        return False
    user.blocked_at = user.blocked_reason = None
    change = keep_change(work, user_id, "unblocked", reason, actor_email)
    work.report_after_commit(
        events.user_unblocked(
            kilo_user_id=user_id,
            reason=reason,
            actor_email=actor_email,
            occurred_at=work.occurred_at_ms,
            event_id=change.id,
        )
    )
    return True


def ban_automatically(work: Work, user_id: str, rule: str) -> bool:
    """Block by a rule: no person is named, and the reason says that a rule did it."""
    return block_user(work, user_id, f"automatic: {rule}", actor_email=None)


def bulk_block(cloud: Cloud, user_ids: Sequence[str], reason: str, actor_email: str) -> BulkBlock:
    """Block many users; each chunk commits and is reported by itself, so a long list starts to work at once."""
    outcome = BulkBlock()
    for chunk in chunks(list(dict.fromkeys(user_ids)), MAX_EVENTS_A_BATCH):
        with cloud.transaction() as work:
            block_chunk(work, chunk, reason, actor_email, outcome)
    return outcome


def block_chunk(work: Work, chunk: Sequence[str], reason: str, actor_email: str, outcome: BulkBlock) -> None:
    for user_id in chunk:
        user = work.session.get(User, user_id)
        if user is None or user.deleted_at is not None:
            outcome.unknown.append(user_id)
        elif block_user(work, user_id, reason, actor_email):
            outcome.blocked.append(user_id)
        else:
            outcome.already_blocked.append(user_id)


def chunks(user_ids: Sequence[str], size: int) -> list[Sequence[str]]:
    return [user_ids[start : start + size] for start in range(0, len(user_ids), size)]


def keep_change(work: Work, user_id: str, change: str, reason: str, actor_email: str | None) -> BlockChange:
    row = BlockChange(
        id=uuid4().hex,
        user_id=user_id,
        change=change,
        reason=reason,
        actor_email=actor_email,
        changed_at=work.now,
    )
    work.session.add(row)
    return row
