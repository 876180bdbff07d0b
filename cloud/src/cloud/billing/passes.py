"""The monthly pass: tier, status and streak, as Stripe's subscription and its paid invoices tell them."""

from datetime import UTC, datetime, timedelta

from abuse_client import events
from cloud.billing.models import KiloPass
from cloud.billing.owners import Owner
from cloud.billing.service import book_credits
from cloud.database import epoch_ms, insert_once
from cloud.transactions import Work

ENDED = frozenset({"canceled", "incomplete_expired", "unpaid"})
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def follow_subscription(work: Work, user_id: str, *, tier: str | None, status: str, is_cancelling: bool) -> None:
    """Take over what the subscription says, unless a later word of it was heard already."""
    held = held_pass(work, user_id)
    if held.subscription_at > work.happened_at:
        return
    streak_months = 0 if status in ENDED else held.streak_months
    held.is_cancelling, held.subscription_at = is_cancelling, work.happened_at
    change_pass(work, held, tier=tier or held.tier, status=status, streak_months=streak_months)


def take_paid_invoice(work: Work, user_id: str, invoice_id: str, *, tier: str | None, microdollars: int) -> None:
    """Book the credits and lengthen the streak, once for an invoice, even if it comes before its subscription."""
    owner = Owner(user_id=user_id)
    if microdollars <= 0 or not book_credits(work, owner, microdollars, kind="pass", stripe_id=invoice_id):
        return
    held = held_pass(work, user_id)
    change_pass(
        work,
        held,
        tier=held.tier or tier,
        status=held.status or "active",
        streak_months=held.streak_months + 1,
    )


def change_pass(work: Work, held: KiloPass, *, tier: str | None, status: str, streak_months: int) -> None:
    """Set the pass; reported only when tier, status or streak is another than before."""
    if (held.tier, held.status, held.streak_months) == (tier, status, streak_months):
        return
    held.tier, held.status, held.streak_months = tier, status, streak_months
    # Stripe tells whole seconds: two changes within one would tie, and nobody could say which came last.
    held.changed_at = max(work.happened_at, held.changed_at + timedelta(milliseconds=1))
    work.report_after_commit(
        events.billing_kilo_pass_changed(
            kilo_user_id=held.user_id,
            tier=tier,
            status=status,
            streak_months=streak_months,
            occurred_at=epoch_ms(held.changed_at),
        )
    )


def held_pass(work: Work, user_id: str) -> KiloPass:
    """Return the user's pass, a blank one when he had none so far; nobody else changes it meanwhile."""
    insert_once(
        work.session,
        KiloPass,
        user_id=user_id,
        streak_months=0,
        is_cancelling=False,
        subscription_at=LONG_AGO,
        changed_at=LONG_AGO,
    )
    return work.session.get_one(KiloPass, user_id, with_for_update=True)


def blocks_deletion(work: Work, user_id: str) -> bool:
    """Say whether the user holds a pass that goes on: active and not cancelling."""
    held = work.session.get(KiloPass, user_id)
    return held is not None and held.status not in ENDED and not held.is_cancelling
