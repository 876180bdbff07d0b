"""``python -m abuse_lab``: the demonstration, traces, benchmarks."""

import os

import typer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The laboratory of the service."
)


@app.callback()
def lab() -> None:
    """The laboratory of the service."""


@app.command()
def demo() -> None:
    """Show the service at work. DEMO_EXIT=1 ends after printing, with status 1 when anything is not so."""
    from abuse_lab.demo import show

    raise SystemExit(show(stays=os.environ.get("DEMO_EXIT", "") in ("", "0")))


if __name__ == "__main__":
    app()
