"""What we do ourselves about a webhook event, in its transaction: credits, passes, seats, refunds, disputes.

Credits come from a paid payment or from a pass's paid invoice, never from both: a subscription's payment carries none
of our metadata, and charges and sessions book nothing.
"""

import logging
from collections.abc import Callable

from cloud.administration.service import ban_automatically
from cloud.billing.auto_top_up import end_declined, end_paid
from cloud.billing.ledger import House, account_behind, account_of, post_once, reclaim, restore, take_back
from cloud.billing.owners import Owner, lock_owner
from cloud.billing.passes import follow_subscription, take_paid_invoice
from cloud.billing.payments import Purpose
from cloud.billing.seats import follow_seats, take_seat_invoice
from cloud.billing.service import MICRODOLLARS_A_CENT, book_credits
from cloud.context import Cloud
from cloud.stripe_webhooks.naming import payer
from cloud.stripe_webhooks.notice import Notice, as_object, id_of
from cloud.transactions import Work

logger = logging.getLogger(__name__)

Action = Callable[[Cloud, Work, Notice, Owner], None]

PAID_INVOICES = frozenset({"subscription_create", "subscription_cycle"})


def act_upon(cloud: Cloud, work: Work, notice: Notice, owner: Owner | None) -> None:
    """Do what the event asks of us, if we know whose it is."""
    act = ACTIONS.get(notice.type)
    if act is None:
        return
    if id_of(notice.subject) is None:
        logger.error("stripe event %s of type %s is about nothing that has an id", notice.id, notice.type)
        return
    if owner is None:
        logger.error("stripe event %s of type %s names nobody we know: nothing booked", notice.id, notice.type)
        return
    act(cloud, work, notice, owner)


def take_payment(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Book a purchase of credits; an automatic top-up ends with it."""
    microdollars = money(notice, "amount_received", "amount")
    if notice.purpose != Purpose.CREDITS or microdollars is None:
        return
    credited, payment_id = payer(work, notice, owner), subject_id(notice)
    lock_owner(work, payment_id)
    if book_credits(work, credited, microdollars, kind="purchase", stripe_id=payment_id):
        reclaim(work, account_of(credited), payment_id)
    attempt_id = notice.metadata.get("auto_top_up")
    if attempt_id is not None:
        end_paid(work, attempt_id)


def take_failed_payment(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """End an automatic top-up that was declined, also when the answer to it was lost."""
    attempt_id = notice.metadata.get("auto_top_up")
    if attempt_id is not None:
        error = as_object(notice.subject.get("last_payment_error"))
        end_declined(cloud, work, attempt_id, str(error.get("decline_code") or error.get("code") or "declined"))


def take_subscription(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Follow the subscription behind a pass or behind an organization's seats."""
    status = str(notice.subject.get("status", "active"))
    if notice.purpose == Purpose.SEATS:
        if owner.organization_id is not None:
            follow_seats(
                work,
                owner.organization_id,
                owner.user_id,
                subscription_id=subject_id(notice),
                rank=RANKS[notice.type],
                status=status,
                seats=quantity(notice),
            )
    elif owner.user_id is not None:
        follow_subscription(
            work,
            owner.user_id,
            subscription_id=subject_id(notice),
            rank=RANKS[notice.type],
            tier=notice.tier,
            status=status,
            is_cancelling=bool(notice.subject.get("cancel_at_period_end")),
        )


def take_invoice(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Take the paid invoice of a pass or of seats."""
    microdollars = money(notice, "amount_paid")
    if microdollars is None or str(notice.subject.get("billing_reason")) not in PAID_INVOICES:
        return
    if notice.purpose == Purpose.SEATS:
        take_seat_invoice(work, subject_id(notice), microdollars)
    elif owner.user_id is not None:
        subscription = notice.invoiced_subscription.get("subscription") or notice.subject.get("subscription")
        take_paid_invoice(
            work,
            owner.user_id,
            subject_id(notice),
            subscription_id=id_of(subscription),
            tier=notice.tier,
            microdollars=microdollars,
        )


def take_refund(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Take back what a payment gave, as far as it is left."""
    microdollars = money(notice, "amount")
    if microdollars is not None and notice.subject.get("status") == "succeeded":
        give_back(work, notice, owner, microdollars, kind="refund")


def take_withdrawal(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Take back the credits of a disputed payment: the bank has taken the money."""
    microdollars = money(notice, "amount")
    if microdollars is not None:
        give_back(work, notice, owner, microdollars, kind="dispute")


def take_reinstatement(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Give the credits of a dispute that was won back, without a purchase."""
    payment_id = id_of(notice.subject.get("payment_intent")) or ""
    lock_owner(work, payment_id)
    restore(work, payment_id, kind="dispute", stripe_id=f"{subject_id(notice)}-reinstated")


def take_closed_dispute(cloud: Cloud, work: Work, notice: Notice, owner: Owner) -> None:
    """Block who disputed a payment of his own when the dispute is accepted, here or on Stripe's own pages."""
    if notice.subject.get("status") == "lost" and owner.user_id is not None:
        ban_automatically(work, owner.user_id, "a dispute was accepted")


def give_back(work: Work, notice: Notice, owner: Owner, microdollars: int, *, kind: str) -> None:
    """Post what goes back, from the account that the payment gave it to, or will give it to when it is told late."""
    payment_id, own_id = id_of(notice.subject.get("payment_intent")) or "", subject_id(notice)
    lock_owner(work, payment_id)
    account = account_behind(work.session, payment_id)
    if account is None and owner.organization_id is not None:
        # An organization's payment that gave no credits paid for seats.
        post_once(work, House.SEATS, House.STRIPE, microdollars, kind=kind, note=payment_id, stripe_id=own_id)
    else:
        to_take = account or account_of(owner)
        take_back(work, to_take, microdollars, kind=kind, payment_id=payment_id, stripe_id=own_id)


def money(notice: Notice, *fields: str) -> int | None:
    """Return the first amount that is there, in microdollars; cents of another currency are none of ours."""
    found = (notice.subject.get(field) for field in fields)
    cents = next((value for value in found if isinstance(value, int) and value > 0), None)
    return cents * MICRODOLLARS_A_CENT if cents is not None and notice.subject.get("currency") == "usd" else None


def quantity(notice: Notice) -> int:
    items = as_object(notice.subject.get("items")).get("data")
    first = as_object(items[0]) if isinstance(items, list) and items else {}
    found = first.get("quantity")
    return found if isinstance(found, int) else 0


def subject_id(notice: Notice) -> str:
    return str(notice.subject["id"])


RANKS = {
    "customer.subscription.created": 0,
    "customer.subscription.updated": 1,
    "customer.subscription.deleted": 2,
}
"""Stripe tells whole seconds: of two events of one second the one of the higher rank is the later one."""

ACTIONS: dict[str, Action] = {
    "payment_intent.succeeded": take_payment,
    "payment_intent.payment_failed": take_failed_payment,
    **dict.fromkeys(RANKS, take_subscription),
    "invoice.paid": take_invoice,
    "refund.created": take_refund,
    "charge.dispute.funds_withdrawn": take_withdrawal,
    "charge.dispute.funds_reinstated": take_reinstatement,
    "charge.dispute.closed": take_closed_dispute,
}
