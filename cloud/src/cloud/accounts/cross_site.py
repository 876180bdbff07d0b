"""Requests that another site's page sends in a visitor's name: refused by what browsers say of a request's origin."""

from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection

from cloud.context import Context
from cloud.errors import CrossSite

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
"""`none`: the visitor's own doing, such as a bookmark."""


def refuse_cross_site(connection: HTTPConnection, public_url: str, *, must_say: bool) -> None:
    """Refuse a request that changes something and comes from another site's page.

    Browsers say where a request comes from: `Sec-Fetch-Site`, which no page can set, or else `Origin`. A program says
    nothing: it passes where no cookie speaks for it, and where one does (`must_say`) it has to name the origin.
    """
    if connection.scope.get("method", "GET") in SAFE_METHODS:
        return
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        is_own = site in OWN_SITES
    elif origin is not None:
        is_own = origin == origin_of(public_url)
    else:
        is_own = not must_say
    if not is_own:
        raise CrossSite


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def require_same_site(connection: HTTPConnection, cloud: Context) -> None:
    """Guard forms that anybody may send: another site must not sign a visitor in as somebody else."""
    refuse_cross_site(connection, cloud.settings.public_url, must_say=False)


SameSite = Depends(require_same_site)
