"""Customers at the payment provider: one a user, one an organization."""

from sqlalchemy import select

from cloud.accounts.models import User
from cloud.accounts.profile import locked_user
from cloud.billing.owners import Owner, learn_owner
from cloud.context import Cloud
from cloud.organizations.models import Organization
from cloud.organizations.roles import locked_organization


def ensure_customer(cloud: Cloud, owner: Owner) -> str:
    """Return the customer of the organization, or else of the user, opened at the first need."""
    # No lock is held while the provider is asked; of two customers opened at once the first is kept.
    return find_customer(cloud, owner) or keep_customer(cloud, owner, cloud.payments.open_customer(owner))


def keep_customer(cloud: Cloud, owner: Owner, customer_id: str) -> str:
    # The provider's webhook about the customer learns whose he is, too, perhaps at this moment. Each of the two
    # transactions here holds one row, so that it waits for the webhook and never the other way round as well.
    with cloud.transaction() as work:
        payer = Owner(user_id=None if owner.organization_id else owner.user_id, organization_id=owner.organization_id)
        learn_owner(work, payer, [customer_id])
    with cloud.transaction() as work:
        if owner.organization_id is not None:
            holder: User | Organization = locked_organization(work, owner.organization_id)
        else:
            holder = locked_user(work, owner.user_id or "")
        holder.stripe_customer_id = holder.stripe_customer_id or customer_id
        return holder.stripe_customer_id


def find_customer(cloud: Cloud, owner: Owner) -> str | None:
    if owner.organization_id is not None:
        known = select(Organization.stripe_customer_id).where(Organization.id == owner.organization_id)
    else:
        known = select(User.stripe_customer_id).where(User.id == owner.user_id)
    with cloud.database.reading() as session:
        return session.scalars(known).one_or_none()
