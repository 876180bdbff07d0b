"""One event folded into one record. Pure, and the same for any order of arrival."""

import bisect
from collections.abc import Callable
from typing import Any

from abuse_client.contract import (
    AuthEventPayload,
    BillingCreditPurchasedData,
    BillingKiloPassChangedData,
    ClassifyPayload,
    CostPayload,
    OrgEventData,
    OrgMembership,
    UserEmailChangedData,
    UserEventData,
    Wire,
)
from abuse_service.events.content import Content
from abuse_service.events.event import Event
from abuse_service.identities.fold_stripe import STRIPE_FOLDS
from abuse_service.identities.merge import add_bounded, has_room, keep_distinct, keep_last_said, merge_newest
from abuse_service.identities.record import MOST_HISTORY, Block, Membership, Record
from abuse_service.identities.stamp import Stamp, stamp_of

_LONGEST_TEXT = 1024
_MOST_MEMBERSHIPS = 1000
_SIGNUP_FIELDS = ("signup_ip", "signup_ja4_digest", "signup_geo_country")
_NOT_PROFILE = frozenset(
    {"extra", "kilo_user_id", "event_type", "org_memberships", "event_id", "occurred_at", *_SIGNUP_FIELDS}
)
_PROFILE_FIELDS = tuple(name for name in AuthEventPayload.__struct_fields__ if name not in _NOT_PROFILE)
_ORG_FIELDS = ("role", "plan", "has_sso", "in_free_trial")

Fold = Callable[[Record, Event, Any, Stamp], None]


def fold(record: Record, event: Event, content: Content | None) -> None:
    """Take one event into the record. Types without a place in it are counted together: senders make them up."""
    step = _FOLDS.get(event.type)
    name = event.type if step is not None else "unknown"
    record.event_counts[name] = record.event_counts.get(name, 0) + 1
    if step is not None and content is not None:
        step(record, event, content, stamp_of(event))


def clip(value: Any) -> Any:
    """Text cut to what a record keeps; the whole of it stays in the log."""
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _fold_auth(record: Record, event: Event, content: AuthEventPayload, stamp: Stamp) -> None:
    # Absent, null and the empty list say nothing (CONTRACT, "auth-event").
    fields = {}
    for name in _PROFILE_FIELDS:
        value = getattr(content, name)
        if value is not None and value not in ("", []):
            fields[name] = sorted({clip(item) for item in value})[:100] if isinstance(value, list) else clip(value)
    keep_last_said(record.emails, stamp, fields["email"], most=MOST_HISTORY)
    merge_newest(record.profile, stamp, fields)
    for name in _SIGNUP_FIELDS:
        value = getattr(content, name)
        if value:
            _keep_first(record.signup.setdefault(name, []), stamp, clip(value))
    for membership in (content.org_memberships or ())[:_MOST_MEMBERSHIPS]:
        _merge_membership(record, membership.organization_id, membership, stamp, owned=None)


def _keep_first(values: list[tuple[Stamp, Any]], stamp: Stamp, value: Any) -> None:
    """Keep each distinct value with the earliest stamp that said it: the first is the snapshot, others conflicts."""
    for place, (known, other) in enumerate(values):
        if other == value:
            values[place] = (min(known, stamp), value)
            values.sort(key=lambda entry: entry[0])
            return
    keep_distinct(values, (stamp, value), most=5, newest_first=False)


def _fold_block(record: Record, event: Event, content: UserEventData, stamp: Stamp) -> None:
    block = Block(stamp, event.type == "user.blocked", clip(content.reason), clip(content.actor_email))
    blocks = record.blocks
    if not blocks or blocks[-1].stamp < stamp:
        blocks.append(block)
    elif block not in blocks:
        bisect.insort(blocks, block, key=lambda entry: entry.stamp)
    del blocks[:-MOST_HISTORY]


def _fold_deleted(record: Record, event: Event, content: Wire, stamp: Stamp) -> None:
    record.deleted = stamp if record.deleted is None else min(record.deleted, stamp)


def _fold_email(record: Record, event: Event, content: UserEmailChangedData, stamp: Stamp) -> None:
    if content.previous_email:
        before = (event.occurred_at_ms - 1, -1, b"")
        keep_last_said(record.emails, before, clip(content.previous_email), most=MOST_HISTORY)
    keep_last_said(record.emails, stamp, clip(content.email), most=MOST_HISTORY)
    merge_newest(record.profile, stamp, {"email": clip(content.email)})


def _fold_org(record: Record, event: Event, content: OrgEventData, stamp: Stamp) -> None:
    is_member = event.type in ("org.created", "org.member_added")
    _merge_membership(record, content.organization_id, content, stamp, owned=is_member)


def _merge_membership(
    record: Record, organization_id: str, said: OrgEventData | OrgMembership, stamp: Stamp, owned: bool | None
) -> None:
    organization_id = clip(organization_id)
    membership = record.memberships.get(organization_id)
    if membership is None:
        if not has_room(record.memberships, organization_id, most=_MOST_MEMBERSHIPS):
            return
        membership = record.memberships[organization_id] = Membership()
    fields: dict[str, Any] = {"is_member": owned is not False}
    for name in _ORG_FIELDS:
        value = getattr(said, name)
        if value is not None:
            fields[name] = clip(value)
    merge_newest(membership.snapshot if owned is None else membership.owned, stamp, fields)


def _fold_credits(record: Record, event: Event, content: BillingCreditPurchasedData, stamp: Stamp) -> None:
    credits = record.credits
    if content.is_free:
        credits.grants += 1
        credits.free_microdollars = add_bounded(credits.free_microdollars, content.microdollars_acquired)
    else:
        credits.purchases += 1
        credits.paid_microdollars = add_bounded(credits.paid_microdollars, content.microdollars_acquired)
        if content.is_free is False:
            credits.said_paid_microdollars = add_bounded(credits.said_paid_microdollars, content.microdollars_acquired)
        earlier = credits.first_paid_at_ms
        credits.first_paid_at_ms = event.occurred_at_ms if earlier is None else min(earlier, event.occurred_at_ms)
    if content.total_microdollars_acquired is not None:
        merge_newest(credits.reported_total, stamp, {"microdollars": content.total_microdollars_acquired})


def _fold_pass(record: Record, event: Event, content: BillingKiloPassChangedData, stamp: Stamp) -> None:
    said = {name: clip(getattr(content, name)) for name in ("tier", "status", "streak_months")}
    fields = {name: value for name, value in said.items() if value is not None}
    keep_distinct(record.pass_history, (stamp, dict(fields)), most=MOST_HISTORY)
    merge_newest(record.pass_layers, stamp, fields)


def _fold_request(record: Record, event: Event, content: ClassifyPayload, stamp: Stamp) -> None:
    record.spend.requests += 1


def _fold_cost(record: Record, event: Event, content: CostPayload, stamp: Stamp) -> None:
    spend = record.spend
    spend.reports += 1
    spend.cost_microdollars = add_bounded(spend.cost_microdollars, content.cost)
    spend.input_tokens = add_bounded(spend.input_tokens, content.input_tokens or 0)
    spend.output_tokens = add_bounded(spend.output_tokens, content.output_tokens or 0)


_FOLDS: dict[str, Fold] = {
    "auth.signup": _fold_auth,
    "auth.signin": _fold_auth,
    "user.blocked": _fold_block,
    "user.unblocked": _fold_block,
    "user.deleted": _fold_deleted,
    "user.email_changed": _fold_email,
    "org.created": _fold_org,
    "org.deleted": _fold_org,
    "org.member_added": _fold_org,
    "org.member_removed": _fold_org,
    "billing.credit_purchased": _fold_credits,
    "billing.kilo_pass_changed": _fold_pass,
    "request.classified": _fold_request,
    "request.cost_reported": _fold_cost,
    **STRIPE_FOLDS,
}
