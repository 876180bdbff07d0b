"""What moved a customer's balance."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloud.billing.ledger import account_of
from cloud.billing.models import Posting
from cloud.billing.owners import Owner


def list_postings(session: Session, owner: Owner, limit: int) -> Sequence[Posting]:
    """Return the newest movements to and from the owner's account."""
    account = account_of(owner)
    own = select(Posting).where(or_(Posting.credited == account, Posting.debited == account))
    return session.scalars(own.order_by(Posting.posted_at.desc(), Posting.id).limit(limit)).all()
