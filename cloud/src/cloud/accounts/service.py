"""Sign-up and sign-in by e-mail link: one letter, one click, a new account or a known one."""

from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import select

from abuse_client.contract import AuthEventType
from cloud.accounts.auth_events import report_auth_event
from cloud.accounts.device_check import DeviceVerdict
from cloud.accounts.email_links import normalised, send_link, use_link
from cloud.accounts.models import CheckedDevice, EmailLink, LinkedProvider, User
from cloud.accounts.sessions import start_session
from cloud.administration.service import ban_automatically
from cloud.context import Cloud
from cloud.errors import AccountBlocked
from cloud.network import NetworkFacts
from cloud.tokens import Purpose
from cloud.transactions import Work

EMAIL_PROVIDER = "email"
PUBLIC_MAIL_DOMAINS = frozenset(
    {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "icloud.com", "yahoo.com", "proton.me", "gmx.net"}
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Somebody who came in."""

    kilo_user_id: str
    event_type: AuthEventType
    session_token: str


def ask_for_link(cloud: Cloud, email: str, customer_source: str | None) -> None:
    """Send a sign-in letter; whether the address has an account is told to nobody."""
    with cloud.transaction() as work:
        send_link(cloud, work, Purpose.SIGN_IN, email, customer_source=customer_source)


def enter_by_link(cloud: Cloud, token: str, facts: NetworkFacts) -> Entry:
    """Sign the link's owner in, up first if he is new; a blocked one is reported and turned away."""
    verdict = cloud.device_check.look(facts.trusted_headers)
    with cloud.transaction() as work:
        link = use_link(cloud, work, Purpose.SIGN_IN, token)
        user = find_by_email(work, link.email)
        event_type = AuthEventType.SIGNIN if user else AuthEventType.SIGNUP
        user = user or sign_up(work, link, facts)
        user.is_admin = normalised(user.email) in map(normalised, cloud.settings.admin_emails)
        keep_device_verdict(work, user, verdict)
    report_auth_event(cloud, user.id, event_type, facts, auth_method=EMAIL_PROVIDER)
    if user.blocked_at is not None:
        raise AccountBlocked
    return Entry(kilo_user_id=user.id, event_type=event_type, session_token=start_session(cloud, user.id))


def find_by_email(work: Work, email: str) -> User | None:
    return work.session.scalars(select(User).where(User.email_normalised == normalised(email))).one_or_none()


def sign_up(work: Work, link: EmailLink, facts: NetworkFacts) -> User:
    """Open an account for an address that its owner has proved, with a snapshot of where he came from."""
    user = User(
        id=str(uuid4()),
        email=link.email,
        email_normalised=normalised(link.email),
        created_at=work.now,
        customer_source=link.customer_source,
        hosted_domain=hosted_domain(link.email),
        signup_ip=facts.ip_address,
        signup_ja4_digest=facts.ja4_digest,
        signup_geo_country=facts.geo_country,
    )
    work.session.add(user)
    work.session.flush()
    work.session.add(LinkedProvider(user_id=user.id, provider=EMAIL_PROVIDER, linked_at=work.now))
    return user


def hosted_domain(email: str) -> str | None:
    """Return the organization's domain that the address proves; a public mail service proves none."""
    domain = normalised(email).rpartition("@")[2]
    return None if domain in PUBLIC_MAIL_DOMAINS else domain


def keep_device_verdict(work: Work, user: User, verdict: DeviceVerdict | None) -> None:
    """Remember what the device check said, and ban who came back on a device that it has banned."""
    if verdict is None:
        return
    work.session.add(
        CheckedDevice(
            user_id=user.id,
            checked_at=work.now,
            session_id=verdict.session_id,
            verdict_action=verdict.action,
            is_authentic_device=verdict.is_authentic_device,
            device_type=verdict.device_type,
            hardware_fingerprint=verdict.hardware_fingerprint,
        )
    )
    if verdict.is_smart_rate_limited:
        ban_automatically(work, user.id, "device check said BLOCK because of smart rate limiting")
