"""A visit at a provider, out and back: the address to go to, and what the return makes of it."""

from dataclasses import dataclass, replace

from fastapi.concurrency import run_in_threadpool

from abuse_client.contract import AuthEventType
from cloud.accounts.attempts import Wish, remember_attempt, use_attempt
from cloud.accounts.auth_events import report_auth_event
from cloud.accounts.linking import link_while_signed_in
from cloud.accounts.models import SignInAttempt
from cloud.accounts.providers import SSO, Profile
from cloud.accounts.service import Entry, enter_by_provider
from cloud.addresses import domain_of
from cloud.context import Cloud
from cloud.errors import Invalid, NotFound, SignInRefused
from cloud.network import NetworkFacts
from cloud.organizations.sso import find_verified


@dataclass(frozen=True, kw_only=True)
class Return:
    """Somebody who is back: where he goes on, and the entry if he signed in."""

    return_to: str
    entry: Entry | None


async def begin_visit(cloud: Cloud, provider: str, browser: str, wish: Wish, **hints: str) -> str:
    """Return the provider's address for this visit, which only the browser with this secret can end."""
    if wish.user_id is None and not cloud.providers.find(provider).signs_in:
        raise Invalid("this provider verifies a profile and opens no account")
    if provider == SSO and wish.sso_domain is None:
        raise Invalid("an enterprise's sign-on begins with an address of its domain")
    departure = await cloud.providers.depart(provider, callback_url(cloud, provider), **hints)
    await run_in_threadpool(remember_attempt, cloud, provider, departure, browser, wish)
    return departure.url


async def end_visit(
    cloud: Cloud, provider: str, *, state: str, code: str | None, browser: str | None, facts: NetworkFacts
) -> Return:
    """Sign in, sign up or link whom the provider confirms. A visit ends once, whatever comes of it."""
    attempt = await run_in_threadpool(use_attempt, cloud, provider, state, browser)
    if code is None:
        raise SignInRefused
    profile = await cloud.providers.arrive(
        provider,
        callback_url(cloud, provider),
        code=code,
        code_verifier=attempt.code_verifier,
        nonce=attempt.nonce,
    )
    return await run_in_threadpool(take_profile, cloud, profile, attempt, facts)


async def begin_sign_on(cloud: Cloud, browser: str, email: str, wish: Wish) -> str:
    """Return the address of the enterprise's sign-on, for an address of a domain that signs on by it."""
    domain = domain_of(email)
    if not await run_in_threadpool(signs_on, cloud, domain):
        raise NotFound("found no sign-on for this domain; ask for a sign-in link")
    return await begin_visit(cloud, SSO, browser, replace(wish, sso_domain=domain), login_hint=email)


def signs_on(cloud: Cloud, domain: str) -> bool:
    with cloud.database.reading() as session:
        return find_verified(session, domain) is not None


def take_profile(cloud: Cloud, profile: Profile, attempt: SignInAttempt, facts: NetworkFacts) -> Return:
    if attempt.user_id is None:
        return Return(return_to=attempt.return_to, entry=enter_by_provider(cloud, profile, attempt, facts))
    link_while_signed_in(cloud, attempt.user_id, profile)
    report_auth_event(cloud, attempt.user_id, AuthEventType.SIGNIN, facts, auth_method=profile.provider)
    return Return(return_to=attempt.return_to, entry=None)


def callback_url(cloud: Cloud, provider: str) -> str:
    return f"{cloud.settings.public_url.rstrip('/')}/auth/with/{provider}/callback"
