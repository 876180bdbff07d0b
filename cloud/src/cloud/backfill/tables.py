"""What the tables tell of the time before the history: all that it does not hold, in event time.

Each telling has an id that is made of its row, so a second backfill tells the same. What no table holds any more (who
was a member once, earlier addresses, the passes before the present one) is told by the history alone.
"""

from collections.abc import Generator, Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Executable, exists, select
from sqlalchemy.orm import Session

from abuse_client import events
from abuse_client.contract import AuthEventPayload, AuthEventType
from cloud.accounts.auth_events import latest_device, list_cohorts, list_providers
from cloud.accounts.models import User
from cloud.administration.models import AuditEntry
from cloud.backfill.telling import Telling, telling_of
from cloud.billing.ledger import House
from cloud.billing.models import KiloPass, Posting
from cloud.database import epoch_ms
from cloud.history.models import Happening
from cloud.organizations.models import Member, Organization
from cloud.organizations.roles import Role

Tellings = Generator[Telling, None, None]

ROWS_AT_ONCE = 500
PURCHASES = ("purchase", "pass", "grant", "promotion")
"""What of the ledger's movements gives credits; money that comes back after a dispute does not."""
ORGANIZATION = "organization"


def never_told(type: str, **same: Any) -> ColumnElement[bool]:
    """Return the condition that the history holds nothing of the type whose columns are as given."""
    alike = (getattr(Happening, name) == value for name, value in same.items())
    return ~exists().where(Happening.type == type, *alike)


def id_of(*parts: object) -> str:
    """Return an id that the same row always gets, of a length that every id may have."""
    return sha256("\0".join(map(str, parts)).encode()).hexdigest()[:40]


def rows_of(session: Session, wanted: Executable) -> Iterator[Any]:
    """Yield the rows without holding them all."""
    with session.execute(wanted.execution_options(yield_per=ROWS_AT_ONCE)) as rows:
        yield from rows


def sign_ups(session: Session) -> Tellings:
    """Every user with all that is known of him now, as the sign-up that the history does not hold."""
    unheard = never_told(f"auth.{AuthEventType.SIGNUP.value}", user_id=User.id)
    living = select(User).where(User.deleted_at.is_(None), unheard)
    for (user,) in rows_of(session, living.order_by(User.created_at)):
        yield telling_of(sign_up_of(session, user))


def sign_up_of(session: Session, user: User) -> AuthEventPayload:
    """Return the sign-up of a user, with what is known of him now in it."""
    device = latest_device(session, user.id)
    return AuthEventPayload(
        kilo_user_id=user.id,
        event_type=AuthEventType.SIGNUP,
        email=user.email,
        account_created_at=user.created_at.isoformat(),
        event_id=id_of("user", user.id),
        occurred_at=epoch_ms(user.created_at),
        ip_address=user.signup_ip,
        geo_country=user.signup_geo_country,
        ja4_digest=user.signup_ja4_digest,
        hosted_domain=user.hosted_domain,
        signup_ip=user.signup_ip,
        signup_ja4_digest=user.signup_ja4_digest,
        signup_geo_country=user.signup_geo_country,
        customer_source=user.customer_source,
        is_bot=user.is_bot,
        is_admin=user.is_admin,
        is_blocked=user.blocked_at is not None,
        completed_welcome_form=user.completed_welcome_form,
        has_linkedin_url=user.linkedin_url is not None,
        has_github_url=user.github_url is not None,
        has_discord_verified=user.has_discord_verified,
        cohorts=list_cohorts(session, user.id),
        auth_providers=list_providers(session, user.id),
        stripe_customer_id=user.stripe_customer_id,
        stytch_session_id=device.session_id if device else None,
        has_validation_stytch=device.verdict_action == "ALLOW" if device else None,
        stytch_verdict_action=device.verdict_action if device else None,
        stytch_is_authentic_device=device.is_authentic_device if device else None,
        stytch_device_type=device.device_type if device else None,
        stytch_hardware_fingerprint=device.hardware_fingerprint if device else None,
    )


def deletions(session: Session) -> Tellings:
    """Every user who was deleted."""
    gone = select(User).where(User.deleted_at.is_not(None), never_told("user.deleted", user_id=User.id))
    for (user,) in rows_of(session, gone.order_by(User.deleted_at)):
        yield telling_of(
            events.user_deleted(
                kilo_user_id=user.id, occurred_at=epoch_ms(user.deleted_at), event_id=id_of("deleted", user.id)
            )
        )


def blocks(session: Session) -> Tellings:
    """Every block and unblock of the audit list; its entry's id is the id under which it was reported."""
    actions = {"blocked": events.user_blocked, "unblocked": events.user_unblocked}
    unheard = ~exists().where(Happening.id == AuditEntry.id)
    entries = select(AuditEntry).where(AuditEntry.action.in_(actions), AuditEntry.user_id.is_not(None), unheard)
    for (entry,) in rows_of(session, entries.order_by(AuditEntry.done_at)):
        yield telling_of(
            actions[entry.action](
                kilo_user_id=entry.user_id,
                reason=entry.reason,
                actor_email=entry.actor_email,
                occurred_at=epoch_ms(entry.done_at),
                event_id=entry.id,
            )
        )


def blocks_in_force(session: Session) -> Tellings:
    """Every block that is in force and that neither history nor audit list holds."""
    noted = exists().where(AuditEntry.user_id == User.id, AuditEntry.action == "blocked")
    blocked = select(User).where(User.blocked_at.is_not(None), never_told("user.blocked", user_id=User.id), ~noted)
    for (user,) in rows_of(session, blocked.order_by(User.blocked_at)):
        at_ms = epoch_ms(user.blocked_at)
        yield telling_of(
            events.user_blocked(
                kilo_user_id=user.id,
                reason=user.blocked_reason,
                occurred_at=at_ms,
                event_id=id_of("block", user.id, at_ms),
            )
        )


def memberships(session: Session) -> Tellings:
    """Every membership, as it is."""
    unheard = never_told("org.member_added", user_id=Member.user_id, organization_id=Member.organization_id)
    joined = select(Member, Organization).join(Organization, Organization.id == Member.organization_id)
    for member, organization in rows_of(session, joined.where(unheard).order_by(Member.joined_at)):
        yield telling_of(told_of(events.org_member_added, member, organization))


def foundings(session: Session) -> Tellings:
    """Every organization, with the owner of longest standing."""
    unheard = never_told("org.created", organization_id=Organization.id)
    first = (
        select(Member.user_id)
        .where(Member.organization_id == Organization.id, Member.role == Role.OWNER)
        .order_by(Member.joined_at, Member.user_id)
        .limit(1)
        .correlate(Organization)
        .scalar_subquery()
    )
    owned = select(Member, Organization).join(
        Organization, (Organization.id == Member.organization_id) & (Member.user_id == first)
    )
    for member, organization in rows_of(session, owned.where(unheard).order_by(Member.joined_at)):
        yield telling_of(told_of(events.org_created, member, organization))


def told_of(build: Any, member: Member, organization: Organization) -> Any:
    at_ms = epoch_ms(member.joined_at)
    return build(
        kilo_user_id=member.user_id,
        organization_id=organization.id,
        role=member.role,
        plan=organization.plan,
        has_sso=organization.has_sso,
        in_free_trial=organization.is_in_free_trial(member.joined_at),
        occurred_at=at_ms,
        event_id=id_of(build.__name__, organization.id, member.user_id, at_ms),
    )


def purchases(session: Session) -> Tellings:
    """Every posting that gave credits; its id is the id under which it was reported."""
    unheard = ~exists().where(Happening.id == Posting.id)
    given = select(Posting).where(Posting.kind.in_(PURCHASES), unheard)
    for (posting,) in rows_of(session, given.order_by(Posting.posted_at)):
        kind, _, name = posting.credited.partition(":")
        organization_id = name if kind == ORGANIZATION else None
        user_id = name if organization_id is None else first_owner(session, organization_id)
        if user_id is not None:
            yield telling_of(
                events.billing_credit_purchased(
                    kilo_user_id=user_id,
                    organization_id=organization_id,
                    microdollars_acquired=posting.microdollars,
                    is_free=posting.debited != House.STRIPE,
                    occurred_at=epoch_ms(posting.posted_at),
                    event_id=posting.id,
                )
            )


def first_owner(session: Session, organization_id: str) -> str | None:
    """Return whom an organization's events name: the owner of longest standing."""
    owners = select(Member.user_id).where(Member.organization_id == organization_id, Member.role == Role.OWNER)
    return session.scalars(owners.order_by(Member.joined_at, Member.user_id).limit(1)).first()


def passes(session: Session) -> Tellings:
    """Every pass as it is now."""
    unheard = never_told("billing.kilo_pass_changed", user_id=KiloPass.user_id)
    held = select(KiloPass).where(KiloPass.status.is_not(None), unheard)
    for (one,) in rows_of(session, held.order_by(KiloPass.changed_at)):
        at_ms = epoch_ms(one.changed_at)
        yield telling_of(
            events.billing_kilo_pass_changed(
                kilo_user_id=one.user_id,
                tier=one.tier,
                status=one.status,
                streak_months=one.streak_months,
                occurred_at=at_ms,
                event_id=id_of("pass", one.user_id, at_ms),
            )
        )


SOURCES = (sign_ups, deletions, blocks, blocks_in_force, foundings, memberships, purchases, passes)
