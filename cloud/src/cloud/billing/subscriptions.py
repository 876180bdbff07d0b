"""Which word about a subscription counts, when Stripe's events come twice, late or in another order."""

from datetime import UTC, datetime, timedelta

from cloud.billing.models import ENDED, KiloPass, SeatSubscription
from cloud.transactions import Work

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def told_at(work: Work, rank: int) -> datetime:
    """Return when Stripe said something of a subscription: its whole second, and the event's rank within it."""
    return work.happened_at + timedelta(microseconds=rank)


def is_news(work: Work, held: KiloPass | SeatSubscription, subscription_id: str, status: str, rank: int) -> bool:
    """Say whether the word counts: no later one was heard, and no other subscription lives on."""
    if held.subscription_id in (None, subscription_id):
        return held.subscription_at <= told_at(work, rank)
    return status not in ENDED and is_next(work, held, subscription_id)


def is_next(work: Work, held: KiloPass | SeatSubscription, subscription_id: str | None) -> bool:
    """Say whether this is another subscription, after the held one was over."""
    is_other = subscription_id is not None and held.subscription_id not in (None, subscription_id)
    return is_other and held.is_over and held.subscription_at.replace(microsecond=0) <= work.happened_at
