"""``python -m abuse_lab``: the demonstration, traces, benchmarks, detection quality."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from httpx import HTTPError

from abuse_lab.bench.catalogue import BENCHES, together
from abuse_lab.bench.figures import show
from abuse_lab.bench.options import Options
from abuse_lab.console import make_console
from abuse_lab.lane import NotThisMachine
from abuse_lab.play import Wish
from abuse_lab.play import play as play_trace
from abuse_lab.play.trace import Price, TraceError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The laboratory of the service."
)


@app.callback()
def lab() -> None:
    """The laboratory of the service."""
    # A polite kill or a closed terminal ends us as Ctrl-C does, so that no process of ours is left behind.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)


@app.command()
def demo() -> None:
    """Show the service at work. DEMO_EXIT=1 ends after printing, with status 1 when anything is not so."""
    from abuse_lab.demo import show

    raise SystemExit(show(stays=os.environ.get("DEMO_EXIT", "") in ("", "0")))


@app.command()
def play(
    trace: Annotated[
        Path, typer.Argument(help="A .csv or .csv.gz of LLM requests; Stripe events: a .json or a folder.")
    ],
    url: Annotated[str, typer.Option(help="Address of a service on this machine.")] = "http://127.0.0.1:8787",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    users: Annotated[int, typer.Option(min=1, help="Made-up users to spread requests over.")] = 500,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Connections, one request at a time on each.")] = 16,
    input_price: Annotated[int, typer.Option(min=0, help="Microdollars a million tokens in.")] = 3_000_000,
    output_price: Annotated[int, typer.Option(min=0, help="Microdollars a million tokens out.")] = 15_000_000,
) -> None:
    """Play a trace over HTTP, then hold what the service says against what was sent; status 1 when they differ."""
    price = Price(input_microdollars=input_price, output_microdollars=output_price)
    wish = Wish(trace=trace, url=url, limit=limit, users=users, connections=connections, price=price)
    try:
        status = play_trace(wish, make_console())
    except (TraceError, NotThisMachine, OSError, HTTPError) as error:
        typer.echo(f"abuse_lab play: {str(error) or type(error).__name__}", err=True)
        raise SystemExit(1) from None
    raise SystemExit(status)


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHES)}, or all.")],
    runs: Annotated[int, typer.Option(min=1, help="Runs; the figures are their medians.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller than the figures are defined on.")] = False,
) -> None:
    """Measure. The last line is JSON: each figure's median, goal, and what it is measured against."""
    if name not in BENCHES and name != "all":
        raise typer.BadParameter(f"found {name}, expected one of {', '.join(BENCHES)} or all")
    console = make_console()
    results = []
    for one in BENCHES if name == "all" else (name,):
        results.append(BENCHES[one](Options(runs=runs, is_quick=quick)))
        show(results[-1], console)
    if name == "all":
        print(together(results).line())


@app.command()
def quality(
    seeds: Annotated[str, typer.Option(help="Worlds, such as 1-5 or 7,9; those of judgement unless said.")] = "",
    profile: Annotated[str, typer.Option(help="How much the cloud tells: today, rich, or both.")] = "both",
    patterns: Annotated[str, typer.Option(help="Only these, parted by commas.")] = "",
    policy: Annotated[Path | None, typer.Option(help="A policy file in place of the one that ships.")] = None,
    size: Annotated[float, typer.Option(min=0.05, max=10, help="Accounts a pattern, as a multiple.")] = 1.0,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP to a process, not in process.")] = False,
    ablate: Annotated[bool, typer.Option("--ablate", help="Also drop each rule in turn: a whole run a rule.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines; the last line is the three figures.")] = False,
) -> None:
    """Judge the policy on labelled traffic: what is caught, how early, what is spent, and who is hurt."""
    from abuse_lab.quality import judge_policy
    from abuse_lab.quality.runs import plan_of
    from abuse_service.errors import ServiceError

    try:
        plan = plan_of(seeds, profile, patterns, size=size, policy=policy, is_http=http)
        judge_policy(plan, is_json=json, ablates=ablate)
    except (ValueError, ServiceError) as error:
        typer.echo(f"abuse_lab quality: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    app()
