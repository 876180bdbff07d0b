"""Automatic top-up: a saved card is charged when the balance falls below a threshold.

An attempt is claimed in the database before the card is charged, so at most one is in flight for an account. Its id is
the idempotency key: an attempt that was cut off is made again later as the same one, and is never charged twice. It
ends when the webhook of its payment books the credits, or with a decline, which switches the top-up off and is told by
a letter.
"""

import logging
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, or_, select, update

from cloud.accounts.models import User
from cloud.billing.customers import ensure_customer
from cloud.billing.ledger import account_of
from cloud.billing.models import AutoTopUp, Balance
from cloud.billing.owners import Owner
from cloud.billing.payments import TopUp
from cloud.billing.purchases import list_cards
from cloud.context import Cloud
from cloud.errors import CardDeclined, CloudError, Conflict, PaymentsUnavailable
from cloud.mail.service import Letter
from cloud.transactions import Work

logger = logging.getLogger(__name__)

CUT_OFF = timedelta(minutes=10)
"""After it an attempt of which nothing was heard is made again."""


def switch_on(
    cloud: Cloud, owner: Owner, *, threshold_microdollars: int, amount_cents: int, card_id: str | None = None
) -> None:
    """Charge the card, by default the one that was saved last, whenever the balance falls below the threshold."""
    saved = [card.id for card in list_cards(cloud, owner)]
    if not saved or (card_id is not None and card_id not in saved):
        raise Conflict("no such card is saved; save one first")
    with cloud.transaction() as work:
        wish = AutoTopUp(
            account=account_of(owner),
            user_id=owner.user_id,
            organization_id=owner.organization_id,
            threshold_microdollars=threshold_microdollars,
            amount_cents=amount_cents,
            card_id=card_id or saved[0],
            is_on=True,
        )
        work.session.merge(wish)
    top_up_if_low(cloud, owner)


def switch_off(cloud: Cloud, owner: Owner) -> None:
    """Charge nothing any more by itself; an attempt in flight still arrives."""
    with cloud.transaction() as work:
        of_owner = AutoTopUp.account == account_of(owner)
        work.session.execute(update(AutoTopUp).where(of_owner).values(is_on=False))


def find_auto_top_up(cloud: Cloud, owner: Owner) -> AutoTopUp | None:
    with cloud.database.reading() as session:
        return session.get(AutoTopUp, account_of(owner))


def top_up_if_low(cloud: Cloud, owner: Owner) -> None:
    """Begin an attempt if the balance is low and none is in flight; the charge itself is made in the background."""
    account = account_of(owner)
    with cloud.database.reading() as session:
        if session.scalars(select(AutoTopUp.account).where(is_due(cloud, account))).first() is None:
            return
    with cloud.transaction() as work:
        claimed = claim(cloud, work, account)
    if claimed is not None:
        cloud.background.submit(lambda: attempt(cloud, claimed))


def is_due(cloud: Cloud, account: str) -> ColumnElement[bool]:
    """Return the condition under which an attempt begins, or is made again after it was cut off."""
    held = select(Balance.microdollars).where(Balance.account == account).scalar_subquery()
    is_free = or_(AutoTopUp.attempt_id.is_(None), AutoTopUp.attempted_at < cloud.clock() - CUT_OFF)
    return and_(AutoTopUp.account == account, AutoTopUp.is_on, is_free, held < AutoTopUp.threshold_microdollars)


def claim(cloud: Cloud, work: Work, account: str) -> AutoTopUp | None:
    """Take the one attempt; who comes second, in whatever process, takes nothing."""
    row = work.session.scalars(select(AutoTopUp).where(is_due(cloud, account)).with_for_update()).one_or_none()
    if row is None:
        return None
    row.attempt_id, row.attempted_at = row.attempt_id or uuid4().hex, work.now
    return row


def attempt(cloud: Cloud, claimed: AutoTopUp) -> None:
    """Charge the card. A decline ends the attempt; when nobody answers it is made again later."""
    owner = Owner(user_id=claimed.user_id, organization_id=claimed.organization_id)
    try:
        cloud.payments.charge(
            TopUp(
                attempt_id=claimed.attempt_id or "",
                customer_id=ensure_customer(cloud, owner),
                card_id=claimed.card_id,
                owner=owner,
                amount_cents=claimed.amount_cents,
            )
        )
    except PaymentsUnavailable:
        logger.warning("an automatic top-up got no answer; it is made again")
    except CloudError as error:
        # A card that is gone is refused and not declined; it will not come back by itself either.
        reason = str(error) if isinstance(error, CardDeclined) else "the card cannot be charged"
        with cloud.transaction() as work:
            end_declined(cloud, work, claimed.attempt_id or "", reason)


def end_paid(work: Work, attempt_id: str) -> None:
    """End the attempt: its credits are booked."""
    of_attempt = AutoTopUp.attempt_id == attempt_id
    work.session.execute(update(AutoTopUp).where(of_attempt).values(attempt_id=None, attempted_at=None))


def end_declined(cloud: Cloud, work: Work, attempt_id: str, reason: str) -> None:
    """Switch the top-up off and write to the person who set it up, once for an attempt."""
    of_attempt = AutoTopUp.attempt_id == attempt_id
    ended = update(AutoTopUp).where(of_attempt).values(attempt_id=None, attempted_at=None, is_on=False)
    user_id = work.session.scalars(ended.returning(AutoTopUp.user_id)).one_or_none()
    user = work.session.get(User, user_id) if user_id else None
    if user is not None and user.deleted_at is None:
        text = f"Your card was not charged: {reason}. Automatic top-up is off until you switch it on again."
        cloud.mailer.send(work, Letter(recipient=user.email, subject="Automatic top-up is off", text=text))
