"""Customers at the payment provider: one a user, one an organization."""

from sqlalchemy import select

from cloud.accounts.models import User
from cloud.accounts.profile import existing_user
from cloud.billing.owners import Owner, learn_owner
from cloud.context import Cloud
from cloud.organizations.models import Organization
from cloud.organizations.roles import existing_organization


def ensure_customer(cloud: Cloud, owner: Owner) -> str:
    """Return the customer of the organization, or else of the user, opened at the first need."""
    # No lock is held while the provider is asked; of two customers opened at once the first is kept.
    customer_id = find_customer(cloud, owner) or cloud.payments.open_customer(owner)
    with cloud.transaction() as work:
        if owner.organization_id is not None:
            holder: User | Organization = existing_organization(work, owner.organization_id)
            payer = Owner(organization_id=owner.organization_id)
        else:
            holder = existing_user(work, owner.user_id or "")
            payer = Owner(user_id=owner.user_id)
        holder.stripe_customer_id = holder.stripe_customer_id or customer_id
        learn_owner(work, payer, [holder.stripe_customer_id])
        return holder.stripe_customer_id


def find_customer(cloud: Cloud, owner: Owner) -> str | None:
    if owner.organization_id is not None:
        known = select(Organization.stripe_customer_id).where(Organization.id == owner.organization_id)
    else:
        known = select(User.stripe_customer_id).where(User.id == owner.user_id)
    with cloud.database.reading() as session:
        return session.scalars(known).one_or_none()
