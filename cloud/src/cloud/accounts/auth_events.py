"""The auth event: everything that is in scope at a sign-up or a sign-in, read after the commit."""

import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from abuse_client.contract import AuthEventPayload, AuthEventType, OrgMembership
from cloud.accounts.models import CheckedDevice, CohortMember, LinkedProvider, User
from cloud.context import Cloud
from cloud.database import epoch_ms
from cloud.history.service import keep_entry
from cloud.network import NetworkFacts
from cloud.organizations.service import list_memberships

logger = logging.getLogger(__name__)

Value = TypeVar("Value")


def report_auth_event(
    cloud: Cloud, user_id: str, event_type: AuthEventType, facts: NetworkFacts, *, auth_method: str
) -> None:
    """Report that somebody came in. What cannot be read is left out; nothing is ever raised."""
    user = read_or_omit(cloud, lambda session: session.get(User, user_id))
    if user is None:
        return
    checked = read_or_omit(cloud, lambda session: latest_device(session, user_id))
    device = checked or CheckedDevice()
    payload = AuthEventPayload(
        kilo_user_id=user.id,
        event_type=event_type,
        email=user.email,
        account_created_at=user.created_at.isoformat(),
        event_id=uuid4().hex,
        occurred_at=epoch_ms(user.created_at if event_type is AuthEventType.SIGNUP else cloud.clock()),
        ip_address=facts.ip_address,
        geo_city=facts.geo_city,
        geo_country=facts.geo_country,
        ja4_digest=facts.ja4_digest,
        user_agent=facts.user_agent,
        auth_method=auth_method,
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
        cohorts=read_or_omit(cloud, lambda session: list_cohorts(session, user_id)),
        auth_providers=read_or_omit(cloud, lambda session: list_providers(session, user_id)),
        org_memberships=read_or_omit(cloud, lambda session: membership_snapshots(cloud, session, user_id)),
        stripe_customer_id=user.stripe_customer_id,
        # "Not checked" is null: a device that nobody looked at is not an unauthentic one.
        stytch_session_id=device.session_id,
        has_validation_stytch=None if checked is None else checked.verdict_action == "ALLOW",
        stytch_verdict_action=device.verdict_action,
        stytch_is_authentic_device=device.is_authentic_device,
        stytch_device_type=device.device_type,
        stytch_hardware_fingerprint=device.hardware_fingerprint,
    )
    keep_entry(cloud.database, payload)
    cloud.reporting.report_auth_event(payload)


def read_or_omit(cloud: Cloud, read: Callable[[Session], Value]) -> Value | None:
    """Return what was read, or `None`, which erases nothing at the other end, when reading fails."""
    try:
        with cloud.database.reading() as session:
            return read(session)
    except SQLAlchemyError as error:
        logger.warning("a field of an auth event is left out: %s", type(error).__name__)
        return None


def latest_device(session: Session, user_id: str) -> CheckedDevice | None:
    checks = select(CheckedDevice).where(CheckedDevice.user_id == user_id)
    return session.scalars(checks.order_by(CheckedDevice.id.desc()).limit(1)).first()


def list_cohorts(session: Session, user_id: str) -> list[str]:
    cohorts = select(CohortMember.cohort).where(CohortMember.user_id == user_id)
    return list(session.scalars(cohorts.order_by(CohortMember.cohort)))


def list_providers(session: Session, user_id: str) -> list[str]:
    providers = select(LinkedProvider.provider).where(LinkedProvider.user_id == user_id)
    return list(session.scalars(providers.order_by(LinkedProvider.provider)))


def membership_snapshots(cloud: Cloud, session: Session, user_id: str) -> list[OrgMembership]:
    return [
        OrgMembership(
            organization_id=organization.id,
            role=member.role,
            plan=organization.plan,
            has_sso=organization.has_sso,
            in_free_trial=organization.is_in_free_trial(cloud.clock()),
        )
        for member, organization in list_memberships(session, user_id)
    ]
