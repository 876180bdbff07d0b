"""Credits: bought, granted, used; each movement is a line in the ledger, each purchase an event."""

from uuid import uuid4

from sqlalchemy import select, update

from abuse_client import events
from cloud.accounts.models import User
from cloud.accounts.profile import existing_user
from cloud.billing.models import LedgerEntry
from cloud.billing.owners import Owner, learn_owner
from cloud.billing.payments import OpenPayment
from cloud.context import Cloud
from cloud.transactions import Work

MICRODOLLARS_A_CENT = 10_000


def buy_credits(cloud: Cloud, user_id: str, amount_cents: int) -> OpenPayment:
    """Open a payment; the credits are booked when Stripe says that it succeeded."""
    customer_id = ensure_customer(cloud, user_id)
    payment = cloud.payments.open_payment(user_id, customer_id, amount_cents)
    with cloud.transaction() as work:
        learn_owner(work, Owner(user_id=user_id), [payment.payment_intent_id])
    return payment


def ensure_customer(cloud: Cloud, user_id: str) -> str:
    """Return the user's Stripe customer, opened at the first need."""
    with cloud.database.reading() as session:
        known = session.scalars(select(User.stripe_customer_id).where(User.id == user_id)).one_or_none()
    # No lock is held while the provider is asked; of two customers opened at once the first is kept.
    customer_id = known or cloud.payments.open_customer(user_id)
    with cloud.transaction() as work:
        user = existing_user(work, user_id)
        user.stripe_customer_id = user.stripe_customer_id or customer_id
        learn_owner(work, Owner(user_id=user_id), [user.stripe_customer_id])
        return user.stripe_customer_id


def grant_credits(work: Work, user_id: str, microdollars: int, note: str) -> None:
    """Give credits that nobody pays for; the event says so."""
    existing_user(work, user_id)
    book_credits(work, user_id, microdollars, kind="grant", note=note)


def book_credits(
    work: Work, user_id: str, microdollars: int, *, kind: str, note: str | None = None, stripe_id: str | None = None
) -> bool:
    """Book credits, once for a Stripe id, and say whether this booked them; the event tells the total after it."""
    if stripe_id is not None and is_booked(work, stripe_id):
        return False
    entry = add_entry(work, user_id, microdollars, kind=kind, note=note, stripe_id=stripe_id)
    total = work.session.execute(
        update(User)
        .where(User.id == user_id)
        .values(
            balance_microdollars=User.balance_microdollars + microdollars,
            acquired_microdollars=User.acquired_microdollars + microdollars,
        )
        .returning(User.acquired_microdollars)
    ).scalar_one()
    work.report_after_commit(
        events.billing_credit_purchased(
            kilo_user_id=user_id,
            microdollars_acquired=microdollars,
            total_microdollars_acquired=total,
            is_free=kind == "grant",
            occurred_at=work.occurred_at_ms,
            event_id=entry.id,
        )
    )
    return True


def book_usage(work: Work, user_id: str, microdollars: int, message_id: str) -> None:
    """Take what an answer cost from the user's balance."""
    add_entry(work, user_id, -microdollars, kind="usage", note=message_id, stripe_id=None)
    work.session.execute(
        update(User).where(User.id == user_id).values(balance_microdollars=User.balance_microdollars - microdollars)
    )


def is_booked(work: Work, stripe_id: str) -> bool:
    booked = select(LedgerEntry.id).where(LedgerEntry.stripe_id == stripe_id)
    return work.session.scalars(booked).first() is not None


def add_entry(
    work: Work, user_id: str, microdollars: int, *, kind: str, note: str | None, stripe_id: str | None
) -> LedgerEntry:
    entry = LedgerEntry(
        id=uuid4().hex,
        user_id=user_id,
        microdollars=microdollars,
        kind=kind,
        note=note,
        stripe_id=stripe_id,
        booked_at=work.now,
    )
    work.session.add(entry)
    work.session.flush()
    return entry
