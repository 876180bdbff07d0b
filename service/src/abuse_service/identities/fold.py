"""One event folded into one record. Pure, and the same for any order of arrival."""

import bisect
from collections.abc import Callable
from typing import Any

from abuse_client.contract import (
    AuthEventPayload,
    BillingCreditPurchasedData,
    BillingKiloPassChangedData,
    UserEmailChangedData,
    UserEventData,
    Wire,
)
from abuse_service.events.content import Content
from abuse_service.events.event import (
    ACCOUNT_JUDGED,
    CUSTOMER_LINKED,
    IDENTITY_ERASED,
    LINK_CUT,
    LINK_RESTORED,
    LIST_CHANGED,
    Event,
)
from abuse_service.identities.fold_memberships import fold_org, fold_snapshot
from abuse_service.identities.fold_requests import fold_cost, fold_request
from abuse_service.identities.fold_stripe import STRIPE_FOLDS, note_customer
from abuse_service.identities.forgetting import forget_personal
from abuse_service.identities.merge import add_bounded, clip, keep_distinct, keep_last_said, merge_newest
from abuse_service.identities.networks import note_network
from abuse_service.identities.record import MOST_CHECKS, MOST_HISTORY, Block, Check, Purchase, Record
from abuse_service.identities.stamp import Stamp, stamp_of

_SIGNUP_FIELDS = ("signup_ip", "signup_ja4_digest", "signup_geo_country")
_NOT_PROFILE = frozenset(
    {"extra", "kilo_user_id", "event_type", "org_memberships", "event_id", "occurred_at", *_SIGNUP_FIELDS}
)
_PROFILE_FIELDS = tuple(name for name in AuthEventPayload.__struct_fields__ if name not in _NOT_PROFILE)
_NOT_CHECKED = Check()
_NOT_RECORDED = frozenset({ACCOUNT_JUDGED, CUSTOMER_LINKED, IDENTITY_ERASED, LINK_CUT, LINK_RESTORED, LIST_CHANGED})
"""What the service itself does about somebody is no part of his record."""

Fold = Callable[[Record, Event, Any], None]


def fold(record: Record, event: Event, content: Content | None) -> None:
    """Take one event into the record. Types without a place in it are counted together: senders make them up."""
    step = _FOLDS.get(event.type)
    if step is None and event.type in _NOT_RECORDED:
        return
    name = event.type if step is not None else "unknown"
    counts = record.event_counts
    counts[name] = counts.get(name, 0) + 1
    if step is not None and content is not None:
        step(record, event, content)
        if record.deleted is not None:
            # Whatever is told of a deleted user, before or after: nothing personal comes back.
            forget_personal(record)


def _fold_auth(record: Record, event: Event, content: AuthEventPayload) -> None:
    # Absent, null and the empty list say nothing (CONTRACT, "auth-event").
    stamp = stamp_of(event)
    fields = {}
    for name in _PROFILE_FIELDS:
        value = getattr(content, name)
        if value is not None and value not in ("", []):
            fields[name] = sorted({clip(item) for item in value})[:100] if isinstance(value, list) else clip(value)
    keep_last_said(record.emails, stamp, fields["email"], most=MOST_HISTORY)
    if content.stripe_customer_id:
        note_customer(record, content.stripe_customer_id)
    check = _check_of(fields)
    if check != _NOT_CHECKED:
        keep_last_said(record.checks, stamp, check, most=MOST_CHECKS)
    merge_newest(record.profile, stamp, fields)
    note_network(record.networks, event, content)
    for name in _SIGNUP_FIELDS:
        value = getattr(content, name)
        if value:
            _keep_first(record.signup.setdefault(name, []), stamp, clip(value))
    if content.org_memberships:
        fold_snapshot(record, event, content.org_memberships, stamp)


def _check_of(said: dict[str, Any]) -> Check:
    return Check(
        said.get("stytch_verdict_action"),
        said.get("stytch_is_authentic_device"),
        said.get("stytch_device_type"),
        said.get("stytch_hardware_fingerprint"),
        said.get("stytch_session_id"),
        said.get("has_validation_stytch"),
        said.get("has_validation_novel_card_with_hold"),
    )


def _keep_first(values: list[tuple[Stamp, Any]], stamp: Stamp, value: Any) -> None:
    """Keep each distinct value with the earliest stamp that said it: the first is the snapshot, others conflicts."""
    for place, (known, other) in enumerate(values):
        if other == value:
            if stamp < known:
                values[place] = (stamp, value)
                values.sort(key=lambda entry: entry[0])
            return
    keep_distinct(values, (stamp, value), most=5, newest_first=False)


def _fold_block(record: Record, event: Event, content: UserEventData) -> None:
    stamp = stamp_of(event)
    block = Block(stamp, event.type == "user.blocked", clip(content.reason), clip(content.actor_email))
    blocks = record.blocks
    if not blocks or blocks[-1].stamp < stamp:
        blocks.append(block)
    elif block not in blocks:
        bisect.insort(blocks, block, key=lambda entry: entry.stamp)
    del blocks[:-MOST_HISTORY]


def _fold_deleted(record: Record, event: Event, content: Wire) -> None:
    stamp = stamp_of(event)
    record.deleted = stamp if record.deleted is None else min(record.deleted, stamp)


def _fold_email(record: Record, event: Event, content: UserEmailChangedData) -> None:
    stamp = stamp_of(event)
    if content.previous_email:
        before = (event.occurred_at_ms - 1, -1, b"")
        keep_last_said(record.emails, before, clip(content.previous_email), most=MOST_HISTORY)
    keep_last_said(record.emails, stamp, clip(content.email), most=MOST_HISTORY)
    merge_newest(record.profile, stamp, {"email": clip(content.email)})


def _fold_credits(record: Record, event: Event, content: BillingCreditPurchasedData) -> None:
    stamp = stamp_of(event)
    credits = record.credits
    acquired = content.microdollars_acquired
    if content.is_free:
        credits.grants += 1
        credits.free_microdollars = add_bounded(credits.free_microdollars, acquired)
    else:
        credits.purchases += 1
        credits.paid_microdollars = add_bounded(credits.paid_microdollars, acquired)
        if content.is_free is False:
            credits.said_paid_microdollars = add_bounded(credits.said_paid_microdollars, acquired)
        earlier = credits.first_paid_at_ms
        credits.first_paid_at_ms = event.occurred_at_ms if earlier is None else min(earlier, event.occurred_at_ms)
    purchase = Purchase(acquired, content.is_free, clip(content.organization_id) or None)
    keep_distinct(credits.history, (stamp, purchase), most=MOST_HISTORY)
    if content.total_microdollars_acquired is not None:
        merge_newest(credits.reported_total, stamp, {"microdollars": content.total_microdollars_acquired})


def _fold_pass(record: Record, event: Event, content: BillingKiloPassChangedData) -> None:
    stamp = stamp_of(event)
    said = {name: clip(getattr(content, name)) for name in ("tier", "status", "streak_months")}
    fields = {name: value for name, value in said.items() if value is not None}
    keep_distinct(record.pass_history, (stamp, dict(fields)), most=MOST_HISTORY)
    merge_newest(record.pass_layers, stamp, fields)


_FOLDS: dict[str, Fold] = {
    "auth.signup": _fold_auth,
    "auth.signin": _fold_auth,
    "user.blocked": _fold_block,
    "user.unblocked": _fold_block,
    "user.deleted": _fold_deleted,
    "user.email_changed": _fold_email,
    "org.created": fold_org,
    "org.deleted": fold_org,
    "org.member_added": fold_org,
    "org.member_removed": fold_org,
    "billing.credit_purchased": _fold_credits,
    "billing.kilo_pass_changed": _fold_pass,
    "request.classified": fold_request,
    "request.cost_reported": fold_cost,
    **STRIPE_FOLDS,
}
