"""Whom our own metadata name: the person and the organization that we asked for the money for."""

from cloud.accounts.models import User
from cloud.billing.owners import Owner
from cloud.billing.service import named_owner
from cloud.organizations.models import Organization
from cloud.stripe_webhooks.notice import Notice
from cloud.transactions import Work


def named_by_us(work: Work, notice: Notice) -> Owner:
    """Return whom the event's metadata name, as far as they exist here."""
    return Owner(
        user_id=known_id(work, User, notice.metadata.get("kilo_user_id")),
        organization_id=known_id(work, Organization, notice.metadata.get("organization_id")),
    )


def name_person(work: Work, notice: Notice, owner: Owner | None) -> Owner | None:
    """Add to a customer's owner whom our metadata name: a customer names a person or an organization, seldom both."""
    known, named = owner or Owner(), named_by_us(work, notice)
    user_id = known.user_id or named.user_id
    organization_id = known.organization_id or named.organization_id
    if user_id is None and organization_id is None:
        return None
    return Owner(user_id=user_id, organization_id=organization_id)


def payer(work: Work, notice: Notice, owner: Owner) -> Owner:
    """Return who gets what was paid for: whom we named when we asked for it, whoever else has the same customer."""
    named = named_by_us(work, notice)
    user_id = named.user_id or owner.user_id
    if user_id is None and owner.organization_id is not None:
        return named_owner(work, owner.organization_id)
    return Owner(user_id=user_id, organization_id=named.organization_id)


def known_id(work: Work, table: type[User] | type[Organization], named: str | None) -> str | None:
    return named if named is not None and work.session.get(table, named) is not None else None
