"""``abuse-service verify``, ``backup`` and ``rebuild``: an operator's care for the data directory."""

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from abuse_service import wiring
from abuse_service.cli import show
from abuse_service.cli.options import AsJson, Data, read_settings
from abuse_service.errors import ServiceError
from abuse_service.telemetry import configure_logging
from abuse_service.wiring import Verified

WithStates = Annotated[
    bool, typer.Option("--states", help="Rebuild the states from the log as well, in a copy, and compare them.")
]


def verify(data: Data = None, states: WithStates = False, as_json: AsJson = False) -> None:
    """Check that the data directory holds what was written to it. A service may run on it meanwhile.

    Status 1 when anything is damaged, missing or there twice; each fault says where.
    """
    settings = read_settings(data=data)
    verified = wiring.verify(settings.data)
    if states and verified.is_whole:
        configure_logging("text", logging.WARNING)
        with tempfile.TemporaryDirectory(prefix="abuse-verify-", dir=settings.data.parent) as folder:
            verified.faults += asyncio.run(wiring.compare_rebuilt(settings, Path(folder)))
    if as_json:
        show.show_json(msgspec.to_builtins(verified))
    else:
        _show(verified)
    if not verified.is_whole:
        raise ServiceError(f"{len(verified.faults)} faults in {settings.data}")


def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the backup, or an empty one.")],
    data: Data = None,
) -> None:
    """Copy the data directory while the service runs, and check the copy. The key is not in it: keep that apart."""
    settings = read_settings(data=data)
    verified = wiring.back_up(settings.data, target)
    _show(verified)
    if not verified.is_whole:
        raise ServiceError(f"{len(verified.faults)} faults in {target}: what was copied was damaged before")
    show.out.print(f"kept in {escape(str(target))}; it is of no use without the key file, which is not in it")


def rebuild(data: Data = None) -> None:
    """Make states and indexes anew from the log alone; the service must not run. Cut off, the next start goes on."""
    settings = read_settings(data=data)
    if not wiring.holds_database(settings.data):
        raise ServiceError(f"{settings.data} holds no data of a service; name the directory with --data")
    configure_logging("text", logging.WARNING)
    made = asyncio.run(wiring.rebuild(settings))
    show.out.print(f"rebuilt from {made.events:,} events, up to position {made.position:,}")
    if made.left_out:
        raise ServiceError(f"{made.left_out} events could not be folded and are left out; the log on stderr says which")


def _show(verified: Verified) -> None:
    for fault in verified.faults:
        show.out.print(f"[bold red]fault[/]  {escape(fault.place)}: {escape(fault.found)}")
    span = f"positions {verified.first_position:,} to {verified.last_position:,}" if verified.events else "empty"
    show.out.print(f"log     {verified.events:,} events, {span}")
    show.out.print(f"states  {verified.states:,}")
    if verified.unsummed:
        show.out.print(
            f"{verified.unsummed:,} blocks are older than checksums: a flipped byte in them shows only where"
        )
        show.out.print("it breaks an event")
