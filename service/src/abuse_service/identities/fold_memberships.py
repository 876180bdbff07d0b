"""Memberships in organizations, folded into a record: what events own, and apart from it what sign-ins said."""

from typing import Any

from abuse_client.contract import OrgEventData, OrgMembership
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import Event
from abuse_service.identities.merge import clip, has_room, keep_distinct, merge_newest
from abuse_service.identities.record import MOST_MOVES, Membership, Record
from abuse_service.identities.stamp import Stamp, stamp_of

MOST_MEMBERSHIPS = 1000
_FIELDS = ("role", "plan", "has_sso", "in_free_trial")
_ORGANIZATION_LETTER = EntityKind.ORGANIZATION.value


def organizations_of(event: Event) -> list[EntityKey]:
    """The organizations that an event names, in the order in which it names them."""
    return [key for key in event.entities if key[:1] == _ORGANIZATION_LETTER]


def fold_org(record: Record, event: Event, content: OrgEventData) -> None:
    """Take in that a user joined or left an organization."""
    stamp = stamp_of(event)
    for key in organizations_of(event)[:1]:
        membership = _membership(record, clip(content.organization_id), key)
        if membership is not None:
            has_joined = event.type in ("org.created", "org.member_added")
            keep_distinct(membership.moves, (stamp, has_joined), most=MOST_MOVES)
            merge_newest(membership.owned, stamp, _said(content))


def fold_snapshot(record: Record, event: Event, said: list[OrgMembership], stamp: Stamp) -> None:
    """Take in what a sign-in said of the memberships."""
    # Intake named the organizations in this order, each once.
    distinct = {clip(membership.organization_id): membership for membership in said[:MOST_MEMBERSHIPS]}
    for (name, one), key in zip(distinct.items(), organizations_of(event), strict=False):
        membership = _membership(record, name, key)
        if membership is not None:
            merge_newest(membership.snapshot, stamp, {"is_member": True} | _said(one))
            first = membership.first_said_ms
            membership.first_said_ms = event.occurred_at_ms if first is None else min(first, event.occurred_at_ms)


def _membership(record: Record, name: str, organization: EntityKey) -> Membership | None:
    membership = record.memberships.get(name)
    if membership is None and has_room(record.memberships, name, most=MOST_MEMBERSHIPS):
        membership = record.memberships[name] = Membership(organization)
    return membership


def _said(one: OrgEventData | OrgMembership) -> dict[str, Any]:
    said = {name: clip(getattr(one, name)) for name in _FIELDS}
    return {name: value for name, value in said.items() if value is not None}
