"""Memberships as they hold now, and since when: the user's own events, snapshots where those are silent, and the end of
an organization, which ends the membership of everybody in it."""

from collections.abc import Callable
from typing import Any

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.identities.merge import newest_with_stamp
from abuse_service.identities.record import Membership, Record
from abuse_service.identities.stamp import Stamp

Ended = Callable[[EntityKey], Stamp | None]
"""When an organization was deleted last; ``None`` where no event ever said so."""


class Tenure(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds between a user and one organization. ``until_ms`` is when it ended, or was seen to have ended."""

    is_member: bool
    role: str | None = None
    plan: str | None = None
    has_sso: bool | None = None
    in_free_trial: bool | None = None
    since_ms: int | None = None
    until_ms: int | None = None


def tenures(record: Record, ended: Ended) -> dict[str, Tenure]:
    """Each organization of a record with what holds, by its id."""
    memberships = record.memberships
    if not memberships:
        return {}
    said = {name: newest_with_stamp(membership.snapshot, "is_member") for name, membership in memberships.items()}
    newest_snapshot = max((entry[0] for entry in said.values() if entry is not None), default=None)
    found = {}
    for name, membership in memberships.items():
        entry = said[name]
        end = ended(membership.organization)
        if membership.moves:
            is_member, since, until = _by_moves(membership.moves, end)
        else:
            is_member, since, until = _by_snapshots(membership, entry[0] if entry else None, newest_snapshot, end)
        if is_member and record.deleted is not None:
            is_member, until = False, record.deleted[0]
        found[name] = Tenure(is_member, since_ms=since, until_ms=until, **_fields(membership))
    return found


Span = tuple[bool, int | None, int | None]
"""Whether it holds, since when, and until when."""


def _by_moves(moves: list[tuple[Stamp, bool]], end: Stamp | None) -> Span:
    """The last stay that events tell of; the organization's end is everybody's leaving."""
    told = sorted([*moves, (end, False)]) if end is not None else moves
    since = until = None
    was_inside = False
    for (at_ms, _, _), has_joined in told:
        if has_joined and not was_inside:
            since, until = at_ms, None
        elif not has_joined and (was_inside or until is None):
            until = at_ms
        was_inside = has_joined
    return was_inside, since, until


def _by_snapshots(membership: Membership, said: Stamp | None, newest_snapshot: Stamp | None, end: Stamp | None) -> Span:
    """A member is who stands in the newest snapshot; none of an organization that was deleted."""
    since = membership.first_said_ms
    if end is not None:
        return False, since, end[0]
    if said == newest_snapshot or newest_snapshot is None:
        return True, since, None
    return False, since, newest_snapshot[0]


def _fields(membership: Membership) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for layers in (membership.snapshot, membership.owned):
        for _, said in layers:
            fields |= said
    fields.pop("is_member", None)
    return fields
