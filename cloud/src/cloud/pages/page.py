"""One page for one visitor: rendered from a template, with a strict content policy, or a redirection with a notice."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from cloud.accounts.attempts import checked_return
from cloud.accounts.cross_site import origin_of
from cloud.accounts.models import User
from cloud.accounts.sessions import Admin, SignedIn, find_user
from cloud.accounts.visit_routes import DeviceCheckAnswer
from cloud.context import Cloud, Context
from cloud.errors import InvalidToken, NotSignedIn
from cloud.settings import Settings
from cloud.tokens import Purpose

FIRST_PAGE = "/dashboard"
NOTICE_COOKIE = "cloud_notice"
NOTICE_SECONDS = 60
MICRODOLLARS = 1_000_000
CHECKOUT = "https://checkout.stripe.com"
DEVICE_CHECK = "https://telemetry.stytch.com"
"""Where Stytch's script leads by itself."""


def usd(microdollars: int) -> str:
    """Return the amount in dollars, with as many decimals as a small one needs to be seen."""
    amount = microdollars / MICRODOLLARS
    return f"${amount:,.2f}" if amount == 0 or abs(amount) >= 0.01 else f"${amount:.6f}"


def moment(at: datetime) -> str:
    return f"{at:%d %b %Y, %H:%M} UTC"


# Everything that is put into a page is escaped, whatever the template's name ends with.
templates = Environment(
    loader=PackageLoader("cloud.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
templates.filters |= {"usd": usd, "moment": moment}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page's function is given: who looks, and how to answer."""

    request: Request
    cloud: Cloud
    visitor: User | None

    @property
    def user(self) -> User:
        """The one who is signed in, on pages that need one."""
        if self.visitor is None:
            raise NotSignedIn
        return self.visitor

    def show(
        self, template: str, status: int = 200, *, device_check: DeviceCheckAnswer | None = None, **told: Any
    ) -> HTMLResponse:
        """Answer with the page, and with the notice that waits for the visitor; with the check it loads its script."""
        notice = read_notice(self.cloud, self.request)
        html = templates.get_template(template).render(
            visitor=self.visitor, path=self.request.url.path, notice=notice, device_check=device_check, **told
        )
        response = HTMLResponse(html, status, headers=safe_headers(self.cloud.settings, device_check))
        if NOTICE_COOKIE in self.request.cookies:
            response.delete_cookie(NOTICE_COOKIE)
        return response

    def show_letter_sent(self, email: str) -> HTMLResponse:
        """Tell where a link was sent to, and on a laptop where to read it."""
        settings = self.cloud.settings
        minutes = max(1, settings.email_link_seconds // 60)
        return self.show("letter-sent.html", email=email, minutes=minutes, outbox_is_open=settings.outbox_is_open)

    def go(self, path: str, notice: str | None = None, *, is_alert: bool = False) -> RedirectResponse:
        """Send the browser to a page, which then shows the notice once."""
        response = RedirectResponse(path, status_code=303)
        if notice is not None:
            signed = self.cloud.signer.sign(Purpose.NOTICE, json.dumps([notice, is_alert]))
            is_secure = self.cloud.settings.public_url.startswith("https:")
            response.set_cookie(
                NOTICE_COOKIE, signed, max_age=NOTICE_SECONDS, httponly=True, samesite="lax", secure=is_secure
            )
        return response


def read_notice(cloud: Cloud, request: Request) -> tuple[str, bool] | None:
    try:
        text, is_alert = json.loads(
            cloud.signer.read(Purpose.NOTICE, request.cookies.get(NOTICE_COOKIE, ""), NOTICE_SECONDS)
        )
    except (InvalidToken, ValueError):
        return None
    return str(text), bool(is_alert)


def safe_headers(settings: Settings, device_check: DeviceCheckAnswer | None) -> dict[str, str]:
    """Return what keeps a page's content its own: no foreign script, frame, or form's target, nothing in a cache."""
    # Browsers hold a form's redirection to the policy too: to the payment page and to the identity providers.
    targets = origins_of(
        settings.stripe_api_url or CHECKOUT,
        settings.google_issuer,
        settings.github_url,
        settings.discord_url,
        settings.sso_issuer,
    )
    scripts = origins_of(device_check.script_url) if device_check else ""
    peers = origins_of(device_check.submit_url or DEVICE_CHECK) if device_check else ""
    policy = (
        f"default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self'; connect-src 'self'{peers}; "
        f"form-action 'self'{targets}; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "cache-control": "no-store",
        # A link's address holds its token.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


def origins_of(*addresses: str | None) -> str:
    return "".join(f" {origin}" for origin in dict.fromkeys(origin_of(one) for one in addresses if one))


def any_page(request: Request, cloud: Context) -> Page:
    try:
        visitor = find_user(cloud, request)
    except NotSignedIn:
        visitor = None
    return Page(request=request, cloud=cloud, visitor=visitor)


def own_page(request: Request, cloud: Context, user: SignedIn) -> Page:
    return Page(request=request, cloud=cloud, visitor=user)


def admin_page(request: Request, cloud: Context, user: Admin) -> Page:
    return Page(request=request, cloud=cloud, visitor=user)


def known_page(return_to: str | None) -> str:
    """Return the path if it leads to a page of ours, else the first page: what a browser says is no proof."""
    try:
        return checked_return(return_to or FIRST_PAGE)
    except ValueError:
        return FIRST_PAGE


def path_of(address: str) -> str:
    """Return the path with its query, without the site."""
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


AnyPage = Annotated[Page, Depends(any_page)]
OwnPage = Annotated[Page, Depends(own_page)]
AdminPage = Annotated[Page, Depends(admin_page)]
