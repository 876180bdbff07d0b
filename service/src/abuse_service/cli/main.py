"""``abuse-service``: serve, and the verbs that ask and mend."""

import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from abuse_service.cli import show
from abuse_service.cli.backtest import backtest
from abuse_service.cli.clusters import cluster, link_app
from abuse_service.cli.desk import Desk
from abuse_service.cli.erasures import erase, erasures
from abuse_service.cli.export import export
from abuse_service.cli.import_events import import_events
from abuse_service.cli.joins import import_app, pending
from abuse_service.cli.options import AsJson, Data, PolicyPath, Reason, Url, open_desk, read_settings
from abuse_service.cli.past import explain_as_then
from abuse_service.cli.persons import audit, find, identity, timeline
from abuse_service.cli.policy import app as policy_app
from abuse_service.cli.upkeep import backup, rebuild, verify
from abuse_service.errors import PolicyError, ServiceError
from abuse_service.settings import Settings, Token
from abuse_service.wiring import holds_database, read_enricher

_FOLLOW_SECONDS = 0.5

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The abuse-detection service."
)
rejected_app = typer.Typer(no_args_is_help=True, help="Events that could not be taken: list them, drive them again.")
config_app = typer.Typer(no_args_is_help=True, help="The settings.")
enforcement_app = typer.Typer(no_args_is_help=True, help="The one switch that turns all enforcement off or on.")
list_app = typer.Typer(
    no_args_is_help=True, help="Lists of identities, addresses, networks, domains and devices that rules read."
)
app.command()(identity)
app.command()(timeline)
app.command()(find)
app.command()(audit)
app.add_typer(policy_app, name="policy")
app.add_typer(list_app, name="list")
app.add_typer(rejected_app, name="rejected")
import_app.command("events")(import_events)
app.add_typer(import_app, name="import")
app.add_typer(link_app, name="link")
app.command()(pending)
app.command()(cluster)
app.command()(erase)
app.command()(erasures)
app.command()(export)
app.command()(verify)
app.command()(backup)
app.command()(rebuild)
app.command()(backtest)
app.add_typer(config_app, name="config")
app.add_typer(enforcement_app, name="enforcement")

ListName = Annotated[str, typer.Argument(metavar="LIST", help="trusted, blocked, or a list of the policy.")]
ListEntry = Annotated[
    str, typer.Argument(metavar="ENTRY", help="Such as user:123, network:192.0.2.0/24 or domain:example.com.")
]


def main() -> None:
    """Run the command line. An error is a line on standard error, with a picture for a policy, and status 1."""
    try:
        app()
    except ServiceError as error:
        place = f" ({error.path})" if error.path else ""
        told = error.told() if isinstance(error, PolicyError) and error.place else f"{error.message}{place}"
        typer.echo(f"abuse-service: {told}", err=True)
        raise SystemExit(1) from None


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Setting ABUSE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0 for a free one. Setting ABUSE_PORT.")] = None,
    data: Data = None,
    policy: PolicyPath = None,
) -> None:
    """Run the service."""
    from abuse_service.cli.server import serve as run

    run(read_settings(host=host, port=port, data=data, policy=policy))


@app.command()
def explain(
    request_id: int,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
    as_of_then: Annotated[
        bool,
        typer.Option("--as-of-then", help="Make it again from what was known then; status 1 if it differs."),
    ] = False,
) -> None:
    """Show a decision with its reasons and every value that it read."""
    if as_of_then:
        explain_as_then(request_id, data, as_json)
        return
    view = open_desk(data, url).get(f"decisions/{request_id}")
    show.show_json(view) if as_json else show.show_decision(view)


@app.command()
def tail(
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000, help="Newest events to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the newest events of the log."""
    desk = open_desk(data, url)
    events = desk.get(f"events?after={-lines}&limit={lines}")["events"]
    after = 0
    while True:
        if as_json:
            for event in events:
                show.show_json(event)
        else:
            show.show_events(events)
        if not follow:
            return
        after = events[-1]["position"] if events else after
        time.sleep(_FOLLOW_SECONDS)
        events = _follow(data, url, after)


def _follow(data: Path | None, url: str | None, after: int) -> list[dict[str, Any]]:
    """What came since; nothing while the service is away: it may come back."""
    try:
        desk = open_desk(data, url)
        events: list[dict[str, Any]] = desk.get(f"events?after={after}&limit=1000")["events"] if desk.is_live else []
    except ServiceError:
        return []
    return events


@app.command()
def check(data: Data = None, policy: PolicyPath = None) -> None:
    """Check settings, policy (types, laws and cases), files about networks and data directory without starting."""
    from abuse_service.policy.policy import load_policy

    settings = read_settings(data=data, policy=policy)
    settings.require_doors()
    show.out.print("settings  ok")
    checked = load_policy(settings.policy)
    cases = sum(len(rule.text.cases) for rule in checked.rules)
    show.out.print(
        f"policy    ok  version {checked.version}: {len(checked.catalog.features)} features, "
        f"{len(checked.rules)} rules, {cases} cases"
    )
    show.out.print(f"networks  ok  data {read_enricher(settings).version}")
    if holds_database(settings.data):
        events = Desk(settings, None).get("events?after=-1&limit=1")["events"]
        show.out.print(f"data      ok  log at position {events[-1]['position'] if events else 0}")
    else:
        show.out.print(f"data      ok  {settings.data} will be made")


@rejected_app.command("list")
def rejected_list(
    data: Data = None, url: Url = None, as_json: AsJson = False, limit: Annotated[int, typer.Option(min=1)] = 100
) -> None:
    """List the events in quarantine with their reasons, oldest first."""
    rows = open_desk(data, url).get(f"rejected?limit={limit}")["rejected"]
    show.show_json(rows) if as_json else show.show_rejected(rows)


@rejected_app.command("retry")
def rejected_retry(
    rejected_id: int,
    body: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, readable=True, help="File with the mended event, JSON.")
    ] = None,
    data: Data = None,
    url: Url = None,
) -> None:
    """Drive a rejected event through intake again, mended or as it was."""
    mended = body.read_bytes() if body else b""
    answer = open_desk(data, url).post(f"rejected/{rejected_id}/retry", mended)
    if answer["rejected"]:
        first = answer["rejected"][0]
        raise ServiceError(f"rejected again: {first['message']}", path=first["path"])
    show.out.print(f"accepted {answer['accepted']}, duplicates {answer['duplicates']}")


@list_app.command("show")
def list_show(
    list_name: Annotated[str | None, typer.Argument(metavar="LIST")] = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the entries of a list, or which lists there are."""
    path = f"lists/{quote(list_name, safe='')}" if list_name else "lists"
    [rows] = open_desk(data, url).get(path).values()
    show.show_json(rows) if as_json else show.show_rows(rows)


@list_app.command("add")
def list_add(
    list_name: ListName,
    entry: ListEntry,
    reason: Reason,
    expires: Annotated[str | None, typer.Option(help="When it ends, such as 12h or 7d; without it, never.")] = None,
    data: Data = None,
    url: Url = None,
) -> None:
    """Put an entry in a list, or say anew why and until when it is there."""
    _change_list(list_name, "add", {"entry": entry, "reason": reason, "expires": expires}, data, url)


@list_app.command("remove")
def list_remove(list_name: ListName, entry: ListEntry, reason: Reason, data: Data = None, url: Url = None) -> None:
    """Take an entry out of a list. Who is taken out of blocked is in unblocked from then on: an exception."""
    _change_list(list_name, "remove", {"entry": entry, "reason": reason}, data, url)


@enforcement_app.command("off")
def enforcement_off(reason: Annotated[str, typer.Option(help="Why.")], data: Data = None, url: Url = None) -> None:
    """Turn all enforcement off: every verdict is ALLOW, decisions say what they would have been."""
    _switch(False, reason, data, url)


@enforcement_app.command("on")
def enforcement_on(reason: Annotated[str, typer.Option(help="Why.")], data: Data = None, url: Url = None) -> None:
    """Turn enforcement on again."""
    _switch(True, reason, data, url)


@config_app.command("show")
def config_show(as_json: AsJson = False) -> None:
    """Show each setting, its value and where it came from; secrets hidden."""
    settings = read_settings()
    rows = [
        {
            "setting": f"ABUSE_{name.upper()}",
            "value": _plain(getattr(settings, name)),
            "from": "environment" if name in settings.model_fields_set else "default",
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        show.show_json(rows)
        return
    table = Table("setting", "value", "from", "meaning")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    show.out.print(table)


def _plain(value: Any) -> Any:
    """A setting's value as JSON, secrets hidden."""
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Token):
        return {"id": value.id, "secret": "hidden", "source": value.source, "scopes": sorted(value.scopes)}
    return value if isinstance(value, bool | int | float | None) else str(value)


def _change_list(list_name: str, verb: str, wish: dict[str, Any], data: Path | None, url: str | None) -> None:
    path = f"lists/{quote(list_name, safe='')}/{verb}"
    answer = open_desk(data, url).post(path, json.dumps(wish).encode())
    until = f" until {answer['expires_at']}" if answer["expires_at"] else ""
    show.out.print(f"{answer['change']}, list {answer['list']}{until}")


def _switch(is_enforced: bool, reason: str, data: Path | None, url: str | None) -> None:
    body = json.dumps({"is_enforced": is_enforced, "reason": reason}).encode()
    answer = open_desk(data, url).post("enforcement", body)
    show.out.print(f"enforcement is {'on' if answer['is_enforced'] else 'off'}")
