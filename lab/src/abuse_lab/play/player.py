"""From a path to a verdict: which kind of trace it is, its progress, and whether the service tells what was sent."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from abuse_lab.desk import ServiceDesk
from abuse_lab.lane import local_address
from abuse_lab.play.ledger import Ledger
from abuse_lab.play.trace import Price, TraceError, read_trace
from abuse_lab.play.traffic import make_traffic, play_traffic
from abuse_lab.play.webhooks import Webhook, play_webhooks, read_webhooks

SHOWN_FAULTS = 10


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to play, and how."""

    trace: Path
    url: str
    limit: int | None = None
    users: int = 500
    connections: int = 16
    price: Price = field(default_factory=Price)


def play(wish: Wish, console: Console) -> int:
    """Play a trace; 0 when the service tells exactly what was sent. Raises `TraceError`, `NotThisMachine`."""
    local_address(wish.url)
    faults = _play_webhooks(wish, console) if _holds_webhooks(wish.trace) else _play_traffic(wish, console)
    for fault in faults[:SHOWN_FAULTS]:
        console.print(f"[bold red]not so:[/] {fault}", soft_wrap=True)
    if len(faults) > SHOWN_FAULTS:
        console.print(f"… and {len(faults) - SHOWN_FAULTS} more")
    return 1 if faults else 0


def credentials() -> dict[str, str]:
    """The service token of the environment, as the client reads it; empty unless both halves are set."""
    token_id = os.environ.get("ABUSE_SERVICE_CF_ACCESS_CLIENT_ID", "")
    secret = os.environ.get("ABUSE_SERVICE_CF_ACCESS_CLIENT_SECRET", "")
    return {"CF-Access-Client-Id": token_id, "CF-Access-Client-Secret": secret} if token_id and secret else {}


def _holds_webhooks(trace: Path) -> bool:
    if not trace.exists():
        raise TraceError(f"found nothing at {trace}, expected a .csv or .csv.gz, or Stripe events as .json or a folder")
    return trace.is_dir() or trace.suffix == ".json"


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<24}"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, expand=True)


def _play_traffic(wish: Wish, console: Console) -> list[str]:
    requests = read_trace(wish.trace, wish.limit)
    traffic = make_traffic(requests, wish.users, wish.price, list(credentials().items()))
    started = time.perf_counter()
    with _progress(console) as progress:
        task = progress.add_task("requests and their costs", total=len(requests))
        ledger = play_traffic(wish.url, traffic, wish.connections, lambda done: progress.update(task, completed=done))
    seconds = time.perf_counter() - started
    with ServiceDesk(wish.url, credentials()) as desk:
        differences = list(ledger.differences(desk))
    _tell_traffic(ledger, seconds, len(differences), wish.price, console)
    return ledger.faults + differences


def _tell_traffic(ledger: Ledger, seconds: float, different: int, price: Price, console: Console) -> None:
    requests = sum(account.requests for account in ledger.accounts.values())
    reports = sum(account.reports for account in ledger.accounts.values())
    verdicts = ", ".join(f"{number:,} {verdict}" for verdict, number in ledger.verdicts.most_common())
    console.print(
        f"{requests:,} requests and {reports:,} costs in {seconds:.1f} s, {(requests + reports) / seconds:,.0f} calls/s"
    )
    console.print(f"answers: {verdicts or 'none'}")
    console.print(
        f"prices: {price.input_microdollars / 1e6:g} USD a million tokens in, {price.output_microdollars / 1e6:g} out"
    )
    console.print(
        f"spend: {ledger.cost_microdollars / 1e6:,.6f} USD sent over {len(ledger.accounts):,} users; the service says "
        + ("the same of each, to the microdollar" if not different else f"otherwise of {different:,}")
    )


def _play_webhooks(wish: Wish, console: Console) -> list[str]:
    webhooks = read_webhooks(wish.trace)[: wish.limit]
    if not webhooks:
        raise TraceError(f"found no whole Stripe event in {wish.trace}")
    with ServiceDesk(wish.url, credentials()) as desk, _progress(console) as progress:
        for _ in progress.track(play_webhooks(desk, webhooks), total=len(webhooks), description="webhook events"):
            pass
    console.print(_webhook_table(webhooks))
    return [f"{webhook.place}: {fault}" for webhook in webhooks for fault in webhook.faults]


def _webhook_table(webhooks: list[Webhook]) -> Table:
    owners = list(dict.fromkeys(webhook.user for webhook in webhooks))
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    table.add_column("event, sent as stripe.<its type>", ratio=1, no_wrap=True)
    table.add_column("owner", no_wrap=True)
    table.add_column("what came of it")
    for webhook in webhooks:
        table.add_row(webhook.place, f"payer {owners.index(webhook.user) + 1}", _came_of(webhook))
    return table


def _came_of(webhook: Webhook) -> str:
    if webhook.faults:
        return f"[red]{webhook.faults[0]}[/]"
    if webhook.is_known_already:
        return "[yellow]known already[/]"
    return "kept, " + ("named its owner" if webhook.names_owner else "joined by its ids")
