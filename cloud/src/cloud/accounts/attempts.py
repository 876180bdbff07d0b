"""Visits at a provider: begun here, ended once, in the browser in which they were begun."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from sqlalchemy import delete

from cloud.accounts.models import SignInAttempt
from cloud.accounts.providers import Departure
from cloud.context import Cloud
from cloud.errors import InvalidState


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the person wants when he comes back."""

    return_to: str = "/"
    user_id: str | None = None
    """The account to link the provider to; none: to sign in."""
    sso_domain: str | None = None
    customer_source: str | None = None
    telemetry_id: str | None = None


def remember_attempt(cloud: Cloud, provider: str, departure: Departure, browser: str, wish: Wish) -> None:
    """Keep what the return will be held against, and let go of visits that nobody ended in time."""
    with cloud.transaction() as work:
        work.session.execute(delete(SignInAttempt).where(SignInAttempt.asked_at < oldest(cloud)))
        work.session.add(
            SignInAttempt(
                state=departure.state,
                provider=provider,
                browser=fingerprint(browser),
                nonce=departure.nonce,
                code_verifier=departure.code_verifier,
                return_to=wish.return_to,
                user_id=wish.user_id,
                sso_domain=wish.sso_domain,
                customer_source=wish.customer_source,
                telemetry_id=wish.telemetry_id,
                asked_at=work.now,
            )
        )


def use_attempt(cloud: Cloud, provider: str, state: str, browser: str | None) -> SignInAttempt:
    """Return the visit and forget it; raise `InvalidState` for a foreign browser, another provider, a second return."""
    with cloud.transaction() as work:
        attempt = work.session.scalars(
            delete(SignInAttempt)
            .where(
                SignInAttempt.state == state,
                SignInAttempt.provider == provider,
                SignInAttempt.browser == fingerprint(browser or ""),
                SignInAttempt.asked_at >= oldest(cloud),
            )
            .returning(SignInAttempt)
        ).one_or_none()
        if attempt is None:
            raise InvalidState
        return attempt


def checked_return(path: str) -> str:
    """Return the path if it leads to a page of ours; `//host`, a backslash or a scheme would lead elsewhere."""
    parts = urlsplit(path)
    is_own = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    if not is_own or "\\" in path or not path.isprintable():
        raise ValueError("found another address, expected a path of this site such as /account")
    return path


def oldest(cloud: Cloud) -> datetime:
    return cloud.clock() - timedelta(seconds=cloud.settings.sign_in_attempt_seconds)


def fingerprint(browser: str) -> str:
    return sha256(browser.encode()).hexdigest()
