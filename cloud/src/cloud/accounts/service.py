"""Sign-up and sign-in, by a letter or by a provider: a new account or a known one, reported either way."""

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select

from abuse_client.contract import AuthEventType
from cloud.accounts.auth_events import report_auth_event
from cloud.accounts.devices import check_device
from cloud.accounts.email_links import send_link, use_link
from cloud.accounts.linking import find_linked, link_provider
from cloud.accounts.models import SignInAttempt, User
from cloud.accounts.providers import Profile
from cloud.addresses import domain_of, normalised
from cloud.administration.domains import is_blacklisted
from cloud.context import Cloud
from cloud.errors import AccountBlocked, EmailUnverified, Forbidden, SignInRefused
from cloud.network import NetworkFacts
from cloud.organizations.sso import find_verified, provision_member
from cloud.tokens import Purpose
from cloud.transactions import Work

EMAIL_PROVIDER = "email"
BY_EMAIL = "@@email@@"
"""Stands where a workspace's domain would: a letter proves an address, and no workspace."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Somebody who came in."""

    kilo_user_id: str
    event_type: AuthEventType


def ask_for_link(cloud: Cloud, email: str, customer_source: str | None) -> None:
    """Send a sign-in letter; whether the address has an account is told to nobody."""
    with cloud.transaction() as work:
        send_link(cloud, work, Purpose.SIGN_IN, email, customer_source=customer_source)


def enter_by_link(cloud: Cloud, token: str, facts: NetworkFacts, telemetry_id: str | None = None) -> Entry:
    """Sign the link's owner in, up first if he is new."""

    def come_in(work: Work) -> Entry:
        link = use_link(cloud, work, Purpose.SIGN_IN, token)
        known = find_by_email(work, link.email)
        user = known or sign_up(work, link.email, facts, link.customer_source)
        link_provider(work, user, EMAIL_PROVIDER, subject=None)
        user.hosted_domain = BY_EMAIL
        return entry_of(cloud, user, is_new=known is None)

    return finish_entry(cloud, cloud.settle(come_in), facts, telemetry_id, auth_method=EMAIL_PROVIDER)


def enter_by_provider(cloud: Cloud, profile: Profile, attempt: SignInAttempt, facts: NetworkFacts) -> Entry:
    """Sign in whom the provider knows, or whose verified address is an account's; else sign him up.

    An address that the provider has not verified opens no account and reaches none: anybody may claim it. A sign-on
    speaks for its own domain only, and makes a member before the memberships are reported.
    """
    if attempt.sso_domain is not None and domain_of(profile.email or "") != attempt.sso_domain:
        raise SignInRefused("the sign-on answered for an address of another domain")

    def come_in(work: Work) -> Entry:
        known = find_linked(work, profile)
        if known is None:
            if profile.email is None or not profile.email_is_verified:
                raise EmailUnverified
            known = find_by_email(work, profile.email)
        user = known or sign_up(work, profile.email or "", facts, attempt.customer_source)
        link_provider(work, user, profile.provider, profile.subject, url=profile.url)
        user.hosted_domain = attempt.sso_domain or profile.hosted_domain
        if attempt.sso_domain is not None:
            if find_verified(work.session, attempt.sso_domain) is None:
                raise SignInRefused("this domain has no sign-on any more")
            provision_member(work, user.id, attempt.sso_domain)
        return entry_of(cloud, user, is_new=known is None)

    return finish_entry(cloud, cloud.settle(come_in), facts, attempt.telemetry_id, auth_method=profile.provider)


def entry_of(cloud: Cloud, user: User, *, is_new: bool) -> Entry:
    user.is_admin = user.email_normalised in map(normalised, cloud.settings.admin_emails)
    return Entry(kilo_user_id=user.id, event_type=AuthEventType.SIGNUP if is_new else AuthEventType.SIGNIN)


def finish_entry(
    cloud: Cloud, entry: Entry, facts: NetworkFacts, telemetry_id: str | None, *, auth_method: str
) -> Entry:
    """Check the device of a known user and report who came in; a blocked one is reported too, and turned away."""
    if entry.event_type is AuthEventType.SIGNIN:
        check_device(cloud, entry.kilo_user_id, telemetry_id)
    report_auth_event(cloud, entry.kilo_user_id, entry.event_type, facts, auth_method=auth_method)
    with cloud.database.reading() as session:
        user = session.get_one(User, entry.kilo_user_id)
    if user.blocked_at is not None:
        raise AccountBlocked
    return entry


def find_by_email(work: Work, email: str) -> User | None:
    """Return the account of the address, and let nobody else change it before this transaction ends."""
    owner = select(User).where(User.email_normalised == normalised(email))
    return work.session.scalars(owner.with_for_update(key_share=True)).one_or_none()


def sign_up(work: Work, email: str, facts: NetworkFacts, customer_source: str | None) -> User:
    """Open an account for an address that its owner has proved, with a snapshot of where he came from."""
    if is_blacklisted(work.session, email):
        raise Forbidden("this address opens no account here; write to support")
    user = User(
        id=str(uuid4()),
        email=email.strip(),
        email_normalised=normalised(email),
        created_at=work.now,
        customer_source=customer_source,
        signup_ip=facts.ip_address,
        signup_ja4_digest=facts.ja4_digest,
        signup_geo_country=facts.geo_country,
    )
    work.session.add(user)
    work.session.flush()
    return user
