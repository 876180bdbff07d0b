"""Taking a webhook event: once, as a whole, joined to its owner by what we know ourselves."""

import logging
from collections.abc import Callable

from cloud.accounts.models import User
from cloud.billing.owners import Owner, find_owner, learn_owner
from cloud.billing.passes import follow_subscription, take_paid_invoice
from cloud.billing.payments import PURPOSE_OF_CREDITS
from cloud.billing.service import MICRODOLLARS_A_CENT, book_credits
from cloud.context import Cloud
from cloud.database import insert_once
from cloud.stripe_webhooks.forwarding import forward
from cloud.stripe_webhooks.models import StripeEvent
from cloud.stripe_webhooks.notice import Notice, price_key
from cloud.transactions import Work

logger = logging.getLogger(__name__)


def take_notice(cloud: Cloud, notice: Notice) -> bool:
    """Take the event and say whether it was new. A second copy changes and reports nothing."""
    with cloud.transaction(happened_at=notice.created_at) as work:
        if not insert_once(work.session, StripeEvent, id=notice.id, type=notice.type, taken_at=work.now):
            return False
        owner = join_owner(work, notice)
        forward(work, notice, owner)
        act_upon(work, notice, owner)
    return True


def act_upon(work: Work, notice: Notice, owner: Owner | None) -> None:
    act = ACTIONS.get(notice.type)
    if act is None:
        return
    if owner is None or owner.user_id is None:
        logger.error("stripe event %s of type %s names nobody we know: nothing booked", notice.id, notice.type)
        return
    act(work, notice, owner.user_id)


def join_owner(work: Work, notice: Notice) -> Owner | None:
    """Find whose event this is and remember that all ids it names are his."""
    owner = name_person(work, notice, find_owner(work, notice.named_ids()))
    if owner is not None:
        learn_owner(work, owner, notice.named_ids())
    return owner


def name_person(work: Work, notice: Notice, owner: Owner | None) -> Owner | None:
    """Add the person that our own metadata names: an organization's customer does not name him."""
    user_id = notice.metadata.get("kilo_user_id")
    if user_id is None or (owner is not None and owner.user_id is not None):
        return owner
    if work.session.get(User, user_id) is None:
        return owner
    return Owner(user_id=user_id, organization_id=owner.organization_id if owner else None)


def take_payment(work: Work, notice: Notice, user_id: str) -> None:
    """Book a purchase of credits from its payment alone; its charge and its invoice book nothing."""
    if notice.metadata.get("purpose") != PURPOSE_OF_CREDITS:
        return
    cents = notice.subject.get("amount_received") or notice.subject.get("amount")
    if isinstance(cents, int) and cents > 0 and notice.subject.get("currency") == "usd":
        payment_intent_id = str(notice.subject["id"])
        book_credits(
            work,
            Owner(user_id=user_id),
            cents * MICRODOLLARS_A_CENT,
            kind="purchase",
            stripe_id=payment_intent_id,
        )


def take_subscription(work: Work, notice: Notice, user_id: str) -> None:
    """Follow the subscription behind the user's pass."""
    follow_subscription(
        work,
        user_id,
        tier=price_key(notice.subject, "items"),
        status=str(notice.subject.get("status", "active")),
        is_cancelling=bool(notice.subject.get("cancel_at_period_end")),
    )


def take_invoice(work: Work, notice: Notice, user_id: str) -> None:
    """Take the paid invoice of a pass."""
    cents = notice.subject.get("amount_paid")
    if notice.subject.get("billing_reason") in {"subscription_create", "subscription_cycle"}:
        take_paid_invoice(
            work,
            user_id,
            str(notice.subject["id"]),
            tier=price_key(notice.subject, "lines"),
            microdollars=cents * MICRODOLLARS_A_CENT if isinstance(cents, int) else 0,
        )


ACTIONS: dict[str, Callable[[Work, Notice, str], None]] = {
    "payment_intent.succeeded": take_payment,
    "customer.subscription.created": take_subscription,
    "customer.subscription.updated": take_subscription,
    "customer.subscription.deleted": take_subscription,
    "invoice.paid": take_invoice,
}
"""What we do ourselves about an event whose owner is known."""
