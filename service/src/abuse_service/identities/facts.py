"""What a record says in one word, for rules and for people."""

import functools
import re
from datetime import UTC, datetime

from abuse_service.identities.cases import count_cases
from abuse_service.identities.merge import flatten, newest
from abuse_service.identities.record import MOST_HISTORY, Record
from abuse_service.identities.tenure import Ended, Tenure, tenures

BOUGHT_MICRODOLLARS = 10_000_000
"""Above what a product gives away at sign-up; gateways that sell credits draw the same line at 10 USD ever bought."""

_ACTIVE = frozenset({"active", "trialing", "past_due"})
_FREE_TIERS = frozenset({"", "free", "none"})
_FREE_PLANS = frozenset({"", "free", "trial"})
# Declines that say nothing about fraud: no money, or an outage (Stripe's decline codes).
_HARMLESS_DECLINES = frozenset(
    {"insufficient_funds", "processing_error", "try_again_later", "issuer_not_available", "reenter_transaction"}
)


def is_blocked(record: Record) -> bool:
    """Blocked by the cloud: its newest block event says so, or without one its newest snapshot."""
    if record.blocks:
        return record.blocks[-1].is_blocked
    return newest(record.profile, "is_blocked") is True


def was_unblocked(record: Record) -> bool:
    """The cloud lifted a block and none is in force."""
    return bool(record.blocks) and not record.blocks[-1].is_blocked


def is_paying(record: Record, ended: Ended) -> bool:
    """Paid for something, holds an active pass, or is a member on an organization's paid plan that is not in trial.

    A payment is one that Stripe or the cloud calls so. Credits of which nobody says whether they were paid for may be a
    grant: they count from `BOUGHT_MICRODOLLARS` on.
    """
    credits = record.credits
    if credits.said_paid_microdollars > 0 or record.stripe.payments > 0 or has_pass(record):
        return True
    if credits.paid_microdollars >= BOUGHT_MICRODOLLARS:
        return True
    return is_on_paid_plan(record, ended)


def is_on_paid_plan(record: Record, ended: Ended) -> bool:
    """Member of an organization on a paid plan that is not in trial."""
    return any(tenure.is_member and _is_paid_plan(tenure) for tenure in tenures(record, ended).values())


def granted_microdollars(record: Record, ended: Ended) -> int:
    """Credits that were given away: those called free, and without a payment all of which nobody says it was paid."""
    credits = record.credits
    if is_paying(record, ended):
        return credits.free_microdollars
    return credits.free_microdollars + credits.paid_microdollars - credits.said_paid_microdollars


def unexplained_microdollars(record: Record) -> int | None:
    """The newest lifetime total that the cloud reported less all credits up to then of which we were told.

    ``None`` where it reported none, or where more was bought since than the record keeps one by one.
    """
    credits = record.credits
    if not credits.reported_total:
        return None
    [(reported_at, said)] = credits.reported_total
    since = [purchase.microdollars for stamp, purchase in credits.history if stamp > reported_at]
    if len(since) >= MOST_HISTORY:
        return None
    total: int = said["microdollars"]
    return total - (credits.paid_microdollars + credits.free_microdollars - sum(since))


def _is_paid_plan(tenure: Tenure) -> bool:
    return str(tenure.plan or "").lower() not in _FREE_PLANS and not tenure.in_free_trial


def has_pass(record: Record) -> bool:
    """Whether a paid pass is active; with the account it ended."""
    if record.deleted is not None:
        return False
    status = str(newest(record.pass_layers, "status") or "").lower()
    return status in _ACTIVE and str(newest(record.pass_layers, "tier") or "").lower() not in _FREE_TIERS


def has_sso(record: Record, ended: Ended) -> bool:
    """Member of an organization that signs in by SSO."""
    return any(tenure.is_member and tenure.has_sso for tenure in tenures(record, ended).values())


def payment_methods(record: Record) -> dict[str, dict[str, object]]:
    """Each payment method with what was said of it; with the account none is attached any more."""
    found = {name: flatten(layers) for name, layers in sorted(record.stripe.methods.items())}
    if record.deleted is not None:
        return {name: said | {"is_attached": False} for name, said in found.items()}
    return found


def disputes(record: Record) -> int:
    """Disputed payments, each once, however its events named it."""
    return count_cases(record.stripe.disputes, record.stripe.pairs)


def fraud_warnings(record: Record) -> int:
    """Payments that a card network warned of, each once."""
    return count_cases(record.stripe.warnings, record.stripe.pairs)


def declined_charges(record: Record) -> int:
    """Declined charges, those left out that say nothing about fraud."""
    return sum(count for code, count in record.stripe.failures.items() if code not in _HARMLESS_DECLINES)


def created_at_ms(record: Record) -> int | None:
    """When the account was created, epoch milliseconds; from ISO 8601 or a database's text, UTC where it names none."""
    text = newest(record.profile, "account_created_at")
    return _epoch_ms(text) if isinstance(text, str) else None


@functools.lru_cache(maxsize=10_000)
def _epoch_ms(text: str) -> int | None:
    # A database writes an offset in hours only: "2024-05-01 12:34:56.789+00".
    full = re.sub(r"([+-]\d{2})$", r"\1:00", text.strip()) if ":" in text else text.strip()
    try:
        instant = datetime.fromisoformat(full)
    except ValueError:
        return None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)
