"""Promotional codes: each gives credits once to a user, and to so many users as it says."""

from datetime import datetime

from sqlalchemy import or_, update

from cloud.billing.ledger import House
from cloud.billing.models import PromoCode, Redemption
from cloud.billing.owners import Owner
from cloud.billing.service import book_credits
from cloud.database import insert_once
from cloud.errors import Conflict, NotFound
from cloud.transactions import Work


def create_code(
    work: Work, code: str, microdollars: int, *, most_redemptions: int | None, expires_at: datetime | None
) -> None:
    """Make a code; one that exists is refused."""
    is_new = insert_once(
        work.session,
        PromoCode,
        code=spelled(code),
        microdollars=microdollars,
        most_redemptions=most_redemptions,
        redemptions=0,
        expires_at=expires_at,
        created_at=work.now,
    )
    if not is_new:
        raise Conflict("this code exists already")


def redeem(work: Work, user_id: str, code: str) -> int:
    """Give the user what the code is worth and return it; a code that is used up or over gives nothing."""
    counted = (
        update(PromoCode)
        .where(
            PromoCode.code == spelled(code),
            or_(PromoCode.expires_at.is_(None), PromoCode.expires_at > work.now),
            or_(PromoCode.most_redemptions.is_(None), PromoCode.redemptions < PromoCode.most_redemptions),
        )
        .values(redemptions=PromoCode.redemptions + 1)
        .returning(PromoCode.microdollars)
    )
    microdollars = work.session.scalars(counted).one_or_none()
    if microdollars is None:
        raise NotFound("found no such code; it may be over or used up")
    # The count above rolls back with this refusal.
    if not insert_once(work.session, Redemption, code=spelled(code), user_id=user_id, redeemed_at=work.now):
        raise Conflict("this code was redeemed before")
    book_credits(
        work, Owner(user_id=user_id), microdollars, source=House.PROMOTIONS, kind="promotion", note=spelled(code)
    )
    return microdollars


def spelled(code: str) -> str:
    """Return the form in which two spellings of one code are equal."""
    return code.strip().upper()
