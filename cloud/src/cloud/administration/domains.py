"""The domain blacklist: who is there already is blocked, and nobody new comes from there."""

import re

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloud.accounts.models import User
from cloud.administration.audit import note
from cloud.administration.bulk import chunks, find_users, locked_users
from cloud.administration.models import BlacklistedDomain
from cloud.administration.service import block
from cloud.context import Cloud
from cloud.database import insert_once
from cloud.errors import Invalid, NotFound

DOMAIN = re.compile(r"(?!-)[a-z0-9-]+(\.[a-z0-9-]+)+")


def blacklist_domain(cloud: Cloud, domain: str, reason: str, actor_email: str) -> list[str]:
    """Blacklist the domain with all below it, and return whom that blocked; done again, it blocks who was missed."""
    named = domain.strip().lower().removeprefix("@")
    if DOMAIN.fullmatch(named) is None:
        raise Invalid("found no domain, expected one such as example.com")
    with cloud.transaction() as work:
        is_new = insert_once(
            work.session,
            BlacklistedDomain,
            domain=named,
            reason=reason,
            actor_email=actor_email,
            added_at=work.now,
        )
        if is_new:
            note(work, "domain_blacklisted", actor_email=actor_email, reason=reason, subject=named)
    # From here on nobody new comes from there, so that the list below is whole.
    return block_residents(cloud, named, f"domain {named} is blacklisted: {reason}", actor_email)


def block_residents(cloud: Cloud, domain: str, reason: str, actor_email: str) -> list[str]:
    lives_there = or_(
        User.email_normalised.endswith(f"@{domain}", autoescape=True),
        User.email_normalised.endswith(f".{domain}", autoescape=True),
    )
    blocked: list[str] = []
    for chunk in chunks(find_users(cloud, lives_there, User.blocked_at.is_(None))):
        with cloud.transaction() as work:
            for user in locked_users(work, chunk, lives_there, User.blocked_at.is_(None)):
                block(work, user, reason, actor_email)
                blocked.append(user.id)
    return blocked


def clear_domain(cloud: Cloud, domain: str, reason: str, actor_email: str) -> None:
    """Let people come from the domain again; who was blocked stays so until somebody lifts it."""
    with cloud.transaction() as work:
        found = work.session.get(BlacklistedDomain, domain)
        if found is None:
            raise NotFound("found no such domain on the blacklist")
        work.session.delete(found)
        note(work, "domain_cleared", actor_email=actor_email, reason=reason, subject=domain)


def is_blacklisted(session: Session, email: str) -> bool:
    """Say whether the address's domain, or one above it, is on the blacklist."""
    labels = email.strip().lower().rpartition("@")[2].split(".")
    above = [".".join(labels[start:]) for start in range(len(labels))]
    found = select(BlacklistedDomain.domain).where(BlacklistedDomain.domain.in_(above))
    return session.scalars(found.limit(1)).first() is not None


def list_domains(session: Session) -> list[BlacklistedDomain]:
    return list(session.scalars(select(BlacklistedDomain).order_by(BlacklistedDomain.domain)))
