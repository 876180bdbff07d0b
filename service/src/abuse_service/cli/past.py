"""``abuse-service explain --as-of-then``: a decision of the past, made again."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from abuse_service import wiring
from abuse_service.cli import show
from abuse_service.cli.options import read_settings
from abuse_service.console_api.views import show_decision
from abuse_service.errors import ServiceError
from abuse_service.replay.past import AsThen
from abuse_service.replay.past import explain_as_then as make_again
from abuse_service.telemetry import configure_logging


def explain_as_then(request_id: int, data: Path | None, as_json: bool) -> None:
    """Make a decision again and show whether it is the same, value by value; status 1 where it is not."""
    settings = read_settings(data=data)
    configure_logging("text", logging.WARNING)
    with wiring.open_past(settings) as past, progress_bar("telling the log", past.log.find_last_position()) as told:
        answer = make_again(past, request_id, told)
    if as_json:
        show.show_json(msgspec.to_builtins(answer))
    else:
        _show(answer)
    if answer.differences:
        names = ", ".join(dict.fromkeys(difference.name for difference in answer.differences))
        raise ServiceError(f"the decision can't be made again: {names} differ")


def _show(answer: AsThen) -> None:
    show.show_decision(show_decision(answer.recorded))
    if not answer.differences:
        values = len(answer.recorded.values)
        show.out.print(f"[green]the same again[/]: {values} values and the outcome, from {answer.events:,} events")
    for difference in answer.differences:
        then, now = (escape(show.compact({difference.name: said})) for said in (difference.then, difference.now))
        show.out.print(f"[bold red]differs[/]  then {then}  now {now}")


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; what it yields takes how far it is."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
