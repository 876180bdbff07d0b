"""The books, by double entry in microdollars: each posting takes from one account what it gives to another.

A customer's account is a user's or an organization's. Its balance is never negative: an answer whose cost is known only
at its end may cost more than is left; then the balance goes to zero and the rest is posted to the shortfall, which is
ours. So one request at most is served below its price by each of those that were admitted on the same last cent.
"""

import enum
from uuid import uuid4

from sqlalchemy import func, select, union_all, update
from sqlalchemy.orm import Session

from cloud.billing.models import Balance, Posting
from cloud.billing.owners import Owner
from cloud.database import insert_once
from cloud.transactions import Work


class House(enum.StrEnum):
    """The accounts that are ours."""

    STRIPE = "stripe"
    """Money that customers paid, less what was paid back."""
    GRANTS = "grants"
    PROMOTIONS = "promotions"
    SEATS = "seats"
    USAGE = "usage"
    SHORTFALL = "shortfall"
    """What customers owed and their balances did not hold."""


def account_of(owner: Owner) -> str:
    """Return the account that pays and is paid: an organization's where the user acts for one."""
    if owner.organization_id is not None:
        return f"organization:{owner.organization_id}"
    if owner.user_id is None:
        raise ValueError("found an owner without user and organization, expected one of them")
    return f"user:{owner.user_id}"


def balance_of(session: Session, owner: Owner) -> Balance:
    """Return what the owner's account holds and has acquired; nothing, where nothing was ever posted."""
    account = account_of(owner)
    found = session.get(Balance, account, populate_existing=True)
    return found or Balance(account=account, microdollars=0, acquired_microdollars=0)


def spendable(session: Session, owner: Owner) -> int:
    """Return what the owner may spend now, in microdollars."""
    return balance_of(session, owner).microdollars


def post_credits(
    work: Work, owner: Owner, microdollars: int, *, source: House, kind: str, note: str | None, stripe_id: str | None
) -> tuple[str, int] | None:
    """Give the owner credits and return the posting's id and all that he ever acquired.

    `None` when the Stripe id is posted already, also by a transaction that runs beside this one.
    """
    account = account_of(owner)
    posting_id = post_once(work, source, account, microdollars, kind=kind, note=note, stripe_id=stripe_id)
    if posting_id is None:
        return None
    insert_once(work.session, Balance, account=account, microdollars=0, acquired_microdollars=0)
    grown = (
        update(Balance)
        .where(Balance.account == account)
        .values(
            microdollars=Balance.microdollars + microdollars,
            acquired_microdollars=Balance.acquired_microdollars + microdollars,
        )
    )
    return posting_id, work.session.execute(grown.returning(Balance.acquired_microdollars)).scalar_one()


def book_usage(work: Work, owner: Owner, microdollars: int, message_id: str) -> None:
    """Take what an answer cost from the owner's balance, and what the balance does not hold from the shortfall."""
    account = account_of(owner)
    taken = take(work.session, account, microdollars)
    post(work, account, House.USAGE, taken, kind="usage", note=message_id)
    post(work, House.SHORTFALL, House.USAGE, microdollars - taken, kind="usage", note=message_id)


def take_back(work: Work, account: str, microdollars: int, *, kind: str, payment_id: str, stripe_id: str) -> bool:
    """Post what goes back to a payer, once for its Stripe id: out of what the balance holds, else of the shortfall."""
    lock(work.session, account)
    if is_posted(work.session, stripe_id):
        return False
    taken = take(work.session, account, microdollars)
    parts = [(account, taken), (House.SHORTFALL, microdollars - taken)]
    # The first part that moves anything carries the id; all of them name the payment.
    claimed: str | None = stripe_id
    for debited, part in parts:
        if part > 0:
            post_once(work, debited, House.STRIPE, part, kind=kind, note=payment_id, stripe_id=claimed)
            claimed = None
    return True


def restore(work: Work, payment_id: str, *, kind: str, stripe_id: str) -> None:
    """Undo what went back for the payment, once for the Stripe id: the money is ours again, and the credits his."""
    gone = select(Posting).where(Posting.note == payment_id, Posting.kind == kind)
    claimed: str | None = stripe_id
    for posting in work.session.scalars(gone.order_by(Posting.id)).all():
        note = f"undoes {posting.id}"
        amount = posting.microdollars
        if post_once(work, posting.credited, posting.debited, amount, kind=kind, note=note, stripe_id=claimed) is None:
            return
        claimed = None
        raised = update(Balance).where(Balance.account == posting.debited)
        work.session.execute(raised.values(microdollars=Balance.microdollars + amount))


def reclaim(work: Work, account: str, payment_id: str) -> None:
    """Take from the credits of a payment what went back before they were booked, and cost us in the meantime."""
    ours = (House.SHORTFALL.value, House.SEATS.value)
    gone = select(Posting).where(
        Posting.note == payment_id, Posting.credited == House.STRIPE, Posting.debited.in_(ours)
    )
    for posting in work.session.scalars(gone.where(Posting.note == payment_id)).all():
        taken = take(work.session, account, posting.microdollars)
        post(work, account, posting.debited, taken, kind=posting.kind, note=payment_id)


def take(session: Session, account: str, microdollars: int) -> int:
    """Lower the balance by the amount, or by all that is left, and return by how much."""
    lowered = update(Balance).where(Balance.account == account)
    enough = lowered.where(Balance.microdollars >= microdollars)
    whole = enough.values(microdollars=Balance.microdollars - microdollars).returning(Balance.account)
    if session.execute(whole).first() is not None:
        return microdollars
    taken = min(lock(session, account), microdollars)
    session.execute(lowered.values(microdollars=Balance.microdollars - taken))
    return taken


def lock(session: Session, account: str) -> int:
    """Keep everybody else from the balance until the transaction ends, and return it."""
    held = select(Balance.microdollars).where(Balance.account == account).with_for_update()
    return session.scalars(held).one_or_none() or 0


def post(work: Work, debited: str, credited: str, microdollars: int, *, kind: str, note: str | None = None) -> None:
    """Write down a movement; none at all is written down for nothing."""
    if microdollars > 0:
        post_once(work, debited, credited, microdollars, kind=kind, note=note)


def post_once(
    work: Work,
    debited: str,
    credited: str,
    microdollars: int,
    *,
    kind: str,
    note: str | None = None,
    stripe_id: str | None = None,
) -> str | None:
    """Write down a movement and return its id, or nothing when one for the Stripe id is there."""
    posting_id = uuid4().hex
    is_new = insert_once(
        work.session,
        Posting,
        id=posting_id,
        debited=str(debited),
        credited=str(credited),
        microdollars=microdollars,
        kind=kind,
        note=note,
        stripe_id=stripe_id,
        posted_at=work.now,
    )
    return posting_id if is_new else None


def account_behind(session: Session, stripe_id: str) -> str | None:
    """Return the account that was given the money of a payment."""
    return session.scalars(select(Posting.credited).where(Posting.stripe_id == stripe_id)).one_or_none()


def is_posted(session: Session, stripe_id: str) -> bool:
    return session.scalars(select(Posting.id).where(Posting.stripe_id == stripe_id)).first() is not None


def list_discrepancies(session: Session) -> list[str]:
    """Return the accounts whose balance is not what their postings add up to; sound books have none."""
    moved = union_all(
        select(Posting.credited.label("account"), Posting.microdollars.label("microdollars")),
        select(Posting.debited, -Posting.microdollars),
    ).subquery()
    sums = select(moved.c.account, func.sum(moved.c.microdollars)).group_by(moved.c.account)
    posted = {account: int(total) for account, total in session.execute(sums)}
    held = {row.account: row.microdollars for row in session.scalars(select(Balance))}
    ours = {house.value for house in House}
    return sorted(a for a in (posted.keys() | held.keys()) - ours if posted.get(a, 0) != held.get(a, 0))
