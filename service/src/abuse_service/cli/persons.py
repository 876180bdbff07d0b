"""``abuse-service identity``, ``timeline``, ``find`` and ``audit``: reading persons, each time noted in the log."""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from abuse_service.cli import show_persons
from abuse_service.cli.options import AsJson, Data, Url, open_desk
from abuse_service.cli.show import show_json

Key = Annotated[str, typer.Argument(metavar="KEY", help="user:ID, fingerprint:HASH, or a bare user id.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="Rows of the page.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where a page before ended.")]
Since = Annotated[str | None, typer.Option(help="At this instant or later: ISO 8601 or epoch milliseconds.")]
Until = Annotated[str | None, typer.Option(help="Before this instant: ISO 8601 or epoch milliseconds.")]
Values = list[str] | None


def identity(
    key: Key,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
    shows_all: Annotated[
        bool, typer.Option("--all", help="Whole sections, features, every link and decision.")
    ] = False,
) -> None:
    """Show an identity: who, what was decided and why, its blocks, and the record section by section."""
    view = open_desk(data, url).get_v1(f"identities/{quote(key, safe='')}")
    show_json(view) if as_json else show_persons.show_identity(view, shows_all=shows_all)


def timeline(
    key: Key,
    event_type: Annotated[Values, typer.Option("--type", help="Events of this type; repeat it for several.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of an identity, newest first, those among them that a Stripe id joined to it."""
    asked = {"type": event_type, "since": since, "until": until, "limit": limit, "cursor": cursor}
    page = _get(f"identities/{quote(key, safe='')}/timeline", asked, data, url)
    show_json(page) if as_json else show_persons.show_timeline(page)


def find(
    email: Annotated[Values, typer.Option(help="An address, as it was once said.")] = None,
    mailbox: Annotated[Values, typer.Option(help="A mailbox, in whatever spelling.")] = None,
    ip: Annotated[Values, typer.Option(help="An address such as 192.0.2.7.")] = None,
    network: Annotated[Values, typer.Option(help="An IPv4 /24 or an IPv6 /48.")] = None,
    device: Annotated[Values, typer.Option(help="A hardware fingerprint.")] = None,
    card: Annotated[Values, typer.Option(help="A card fingerprint of Stripe's.")] = None,
    customer: Annotated[Values, typer.Option(help="A Stripe customer.")] = None,
    organization: Annotated[Values, typer.Option(help="An organization's id.")] = None,
    domain: Annotated[Values, typer.Option(help="A mail domain, as it is registered.")] = None,
    user: Annotated[Values, typer.Option(help="A user's id.")] = None,
    blocked: Annotated[bool | None, typer.Option("--blocked/--not-blocked", help="By the cloud.")] = None,
    verdict: Annotated[str | None, typer.Option(help="ALLOW, CHALLENGE, SOFT_BLOCK or HARD_BLOCK.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Find identities; all that is asked for must hold, and an option may repeat."""
    asked = {
        "email": email,
        "mailbox": mailbox,
        "ip": ip,
        "network": network,
        "device": device,
        "card": card,
        "customer": customer,
        "organization": organization,
        "domain": domain,
        "user": user,
        "blocked": None if blocked is None else str(blocked).lower(),
        "verdict": verdict,
        "limit": limit,
        "cursor": cursor,
    }
    page = _get("identities", asked, data, url)
    show_json(page) if as_json else show_persons.show_found(page)


def audit(
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show who read what of whom, newest first."""
    page = _get("audit", {"since": since, "until": until, "limit": limit, "cursor": cursor}, data, url)
    show_json(page) if as_json else show_persons.show_readings(page)


def _get(path: str, asked: dict[str, Any], data: Any, url: str | None) -> Any:
    given = {name: value for name, value in asked.items() if value is not None}
    return open_desk(data, url).get_v1(f"{path}?{urlencode(given, doseq=True)}")
