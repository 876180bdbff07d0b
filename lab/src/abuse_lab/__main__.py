"""``python -m abuse_lab``: the demonstration, traces, benchmarks."""

import os
import signal
from typing import Annotated

import typer

from abuse_lab.bench.catalogue import BENCHES, together
from abuse_lab.bench.figures import show
from abuse_lab.bench.options import Options
from abuse_lab.console import make_console

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


if __name__ == "__main__":
    app()
