"""The monthly pass: tier, status and streak, as Stripe's subscription and its paid invoices tell them."""

from datetime import timedelta

from abuse_client import events
from cloud.billing.models import ENDED, KiloPass
from cloud.billing.owners import Owner
from cloud.billing.service import book_credits
from cloud.billing.subscriptions import LONG_AGO, is_news, is_next, told_at
from cloud.database import LOCK, epoch_ms, insert_once
from cloud.transactions import Work


def follow_subscription(
    work: Work, user_id: str, *, subscription_id: str, rank: int, tier: str | None, status: str, is_cancelling: bool
) -> None:
    """Take over what the subscription says, unless a later word was heard or another subscription lives on."""
    held = held_pass(work, user_id)
    if not is_news(work, held, subscription_id, status, rank):
        return
    is_other = held.subscription_id not in (None, subscription_id)
    streak_months = 0 if status in ENDED or is_other else held.streak_months
    held.subscription_id, held.is_cancelling = subscription_id, is_cancelling
    held.subscription_at = told_at(work, rank)
    change_pass(work, held, tier=tier or held.tier, status=status, streak_months=streak_months)


def take_paid_invoice(
    work: Work, user_id: str, invoice_id: str, *, subscription_id: str | None, tier: str | None, microdollars: int
) -> None:
    """Book the credits and lengthen the streak, once for an invoice, even if it comes before its subscription."""
    if not book_credits(work, Owner(user_id=user_id), microdollars, kind="pass", stripe_id=invoice_id):
        return
    held = held_pass(work, user_id)
    begins_anew = is_next(work, held, subscription_id)
    if held.is_over and not begins_anew:
        return  # the month was paid, and the pass is over all the same
    if begins_anew:
        held.is_cancelling, held.subscription_at = False, LONG_AGO
    held.subscription_id = subscription_id or held.subscription_id
    change_pass(
        work,
        held,
        tier=tier if begins_anew else held.tier or tier,
        status="active" if begins_anew else held.status or "active",
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
            event_id=work.new_event_id(),
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
    return work.session.get_one(KiloPass, user_id, with_for_update=LOCK)


def blocks_deletion(work: Work, user_id: str) -> bool:
    """Say whether the user holds a pass that goes on: active and not cancelling."""
    held = work.session.get(KiloPass, user_id)
    return held is not None and not held.is_over and not held.is_cancelling
