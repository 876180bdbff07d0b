"""Blocking and unblocking many: by their ids, by what the block said and when.

Each chunk commits and is reported by itself, so a long list starts to work at once and no batch of events is long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select

from cloud.accounts.models import User
from cloud.administration.service import block, unblock
from cloud.context import Cloud
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.transactions import Work


@dataclass(kw_only=True)
class BulkBlock:
    """What a bulk block did, by user id."""

    blocked: list[str] = field(default_factory=list)
    already_blocked: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def bulk_block(cloud: Cloud, user_ids: Sequence[str], reason: str, actor_email: str) -> BulkBlock:
    """Block many users."""
    outcome = BulkBlock()
    for chunk in chunks(list(dict.fromkeys(user_ids))):
        # Written together at the end: a list of thousands would else be written one by one.
        with cloud.transaction() as work, work.session.no_autoflush:
            found = {user.id: user for user in locked_users(work, chunk)}
            for user_id in chunk:
                if user_id not in found:
                    outcome.unknown.append(user_id)
                elif block(work, found[user_id], reason, actor_email):
                    outcome.blocked.append(user_id)
                else:
                    outcome.already_blocked.append(user_id)
    return outcome


def bulk_unblock(
    cloud: Cloud, *, blocked_reason: str, since: datetime, until: datetime, reason: str, actor_email: str
) -> list[str]:
    """Lift the blocks that gave the reason and began in the time from `since` until before `until`."""
    meant = (User.blocked_reason == blocked_reason, User.blocked_at >= since, User.blocked_at < until)
    unblocked: list[str] = []
    for chunk in chunks(find_users(cloud, *meant)):
        with cloud.transaction() as work:
            # Whose block was lifted or changed in the meantime is no longer meant.
            for user in locked_users(work, chunk, *meant):
                unblock(work, user, reason, actor_email)
                unblocked.append(user.id)
    return unblocked


def find_users(cloud: Cloud, *conditions: ColumnElement[bool]) -> list[str]:
    with cloud.database.reading() as session:
        living = select(User.id).where(User.deleted_at.is_(None), *conditions)
        return list(session.scalars(living.order_by(User.id)))


def locked_users(work: Work, user_ids: Sequence[str], *conditions: ColumnElement[bool]) -> Sequence[User]:
    """Return those who live and are meant; locked in one order, so that two long lists never wait for each other."""
    living = select(User).where(User.id.in_(user_ids), User.deleted_at.is_(None), *conditions)
    return work.session.scalars(living.order_by(User.id).with_for_update(key_share=True)).all()


def chunks(user_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(user_ids), MAX_EVENTS_A_BATCH):
        yield user_ids[start : start + MAX_EVENTS_A_BATCH]
