"""Ways to sign in: added when they are proved, taken away while another one is left."""

from sqlalchemy import select

from cloud.accounts.models import LinkedProvider, User
from cloud.accounts.profile import locked_user
from cloud.accounts.providers import DISCORD, GITHUB, Profile
from cloud.context import Cloud
from cloud.errors import AccountBlocked, Conflict, NotFound
from cloud.transactions import Work


def find_linked(work: Work, profile: Profile) -> User | None:
    """Return the account that this person of the provider signs in to; nobody else changes it in the meantime."""
    linked = select(User).join(LinkedProvider, LinkedProvider.user_id == User.id)
    return work.session.scalars(
        linked.where(
            LinkedProvider.provider == profile.provider, LinkedProvider.subject == profile.subject
        ).with_for_update(of=User, key_share=True)
    ).one_or_none()


def link_provider(work: Work, user: User, provider: str, subject: str | None, *, url: str | None = None) -> None:
    """Remember the way to sign in; another person of the same provider is no second one."""
    held = work.session.get(LinkedProvider, (user.id, provider))
    if held is None:
        row = LinkedProvider(user_id=user.id, provider=provider, subject=subject, linked_at=work.now)
        work.session.add(row)
        work.session.flush()
    elif held.subject != subject:
        raise Conflict("another account of this provider is linked already; unlink it first")
    if provider == DISCORD:
        user.has_discord_verified = True
    if provider == GITHUB:
        user.github_url = user.github_url or url


def link_while_signed_in(cloud: Cloud, user_id: str, profile: Profile) -> None:
    """Link a person of the provider to the account; one who has an account already keeps that one."""

    def link(work: Work) -> None:
        user = locked_user(work, user_id)
        if user.blocked_at is not None:
            raise AccountBlocked
        owner = find_linked(work, profile)
        if owner is not None and owner.id != user.id:
            raise Conflict("this account of the provider is linked to another account")
        link_provider(work, user, profile.provider, profile.subject, url=profile.url)

    cloud.settle(link)


def unlink_provider(cloud: Cloud, user_id: str, provider: str) -> None:
    """Take a provider away; the last way to sign in stays."""
    with cloud.transaction() as work:
        user = locked_user(work, user_id)
        linked = list(work.session.scalars(select(LinkedProvider).where(LinkedProvider.user_id == user_id)))
        going = next((row for row in linked if row.provider == provider), None)
        if going is None:
            raise NotFound("found no such provider linked")
        if provider == DISCORD:
            user.has_discord_verified = False
        elif all(row.provider in (provider, DISCORD) for row in linked):
            raise Conflict("this is the last way to sign in; link another one first")
        work.session.delete(going)


def list_linked(cloud: Cloud, user_id: str) -> list[str]:
    """Return the names of the linked providers."""
    own = select(LinkedProvider.provider).where(LinkedProvider.user_id == user_id)
    with cloud.database.reading() as session:
        return list(session.scalars(own.order_by(LinkedProvider.provider)))
