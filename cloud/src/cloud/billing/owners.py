"""Whose Stripe ids are: learned when the cloud opens them and whenever a webhook shows two of them together."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cloud.billing.models import StripeOwner
from cloud.database import LOCK, insert_once
from cloud.transactions import Work


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A user, an organization, or both."""

    user_id: str | None = None
    organization_id: str | None = None


def learn_owner(work: Work, owner: Owner, stripe_ids: Iterable[str]) -> None:
    """Remember the owner of the ids; an id that is known keeps its first owner."""
    # In one order, so that two transactions that learn the same ids never wait for each other.
    for stripe_id in sorted(set(stripe_ids)):
        insert_once(
            work.session,
            StripeOwner,
            stripe_id=stripe_id,
            user_id=owner.user_id,
            organization_id=owner.organization_id,
        )


def lock_owner(work: Work, stripe_id: str) -> None:
    """Take everything that is told about the id one after the other, until the transaction ends."""
    work.session.get(StripeOwner, stripe_id, with_for_update=LOCK)


def find_owner(session: Session, stripe_ids: Iterable[str]) -> Owner | None:
    """Return the owner of the first id that is known."""
    for stripe_id in stripe_ids:
        row = session.get(StripeOwner, stripe_id)
        if row is not None:
            return Owner(user_id=row.user_id, organization_id=row.organization_id)
    return None
