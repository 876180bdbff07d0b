"""The demonstration from the first process to the last."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from abuse_lab.console import make_console
from abuse_lab.demo.claims import complaints
from abuse_lab.demo.page import addresses, commands, render
from abuse_lab.demo.sight import Sight, look
from abuse_lab.desk import ServiceDesk
from abuse_lab.service_process import ServiceProcess
from cloud.running import RunningCloud, run_cloud
from cloud.story import StoryReport, play


def show(*, stays: bool, console: Console | None = None) -> int:
    """Show the demonstration; 0 when everything in it is so. With ``stays`` it stays up until Ctrl-C."""
    console = console or make_console()
    with tempfile.TemporaryDirectory(prefix="abuse-demo-") as made:
        directory = Path(made)
        service = ServiceProcess(directory / "data")
        try:
            faults = _perform(service, directory, console, stays=stays)
        except KeyboardInterrupt:
            faults = []
            console.print("\nstopping …")
        finally:
            status = service.stop()
        faults += _left_behind(service, status)
    for fault in faults:
        console.print(f"[bold red]not so:[/] {fault}")
    if not faults:
        console.print("[dim]the service drained and ended with status 0; its directory is gone[/]")
    return 1 if faults else 0


def _perform(service: ServiceProcess, directory: Path, console: Console, *, stays: bool) -> list[str]:
    service.await_ready()
    console.print(f"[bold]abuse-service[/] runs at {service.url}, process {service.pid}, with a fresh data directory.")
    # The gateway delays a quarantined answer by six seconds; nobody in the audience has to.
    with run_cloud(directory, abuse_url=service.url, quarantine_3_seconds=1.0) as cloud:
        console.print(f"A small SaaS runs at {cloud.url}; a dozen people live their lives there, and it reports.\n")
        report = _play_story(cloud, console)
        with ServiceDesk(service.url) as desk:
            sight = look(desk, report)
        console.print(render(sight))
        faults = complaints(sight)
        if stays and not faults:
            faults += _stay(service, cloud, sight, console)
    return faults


def _play_story(cloud: RunningCloud, console: Console) -> StoryReport:
    columns = (TextColumn("{task.description:<44}"), BarColumn(None), MofNCompleteColumn())
    with Progress(*columns, console=console, expand=True) as progress:
        task = progress.add_task("the curtain rises")

        def show_step(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        return play(cloud.url, admin_email=cloud.admin_email, on_step=show_step)


def _stay(service: ServiceProcess, cloud: RunningCloud, sight: Sight, console: Console) -> list[str]:
    executable = Path(sys.executable).with_name("abuse-service")
    shown = executable.relative_to(Path.cwd()) if executable.is_relative_to(Path.cwd()) else executable
    console.print(addresses(cloud, sight), commands(sight, shown, service.data), soft_wrap=True)
    console.print(f"\nThe service answers at {service.url}, the SaaS at {cloud.url}, until [bold]Ctrl-C[/].")
    while service.is_running:
        threading.Event().wait(0.5)
    return ["the service ended by itself"]


def _left_behind(service: ServiceProcess, status: int) -> Iterator[str]:
    if status != 0:
        yield f"the service ended with status {status}, expected 0"
    try:
        os.kill(service.pid, 0)
    except ProcessLookupError:
        return
    yield f"the service's process {service.pid} is still there"
