"""``abuse-service pending`` and ``import links``."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from abuse_service.cli import show
from abuse_service.cli.options import AsJson, Data, Url, open_desk
from abuse_service.errors import ServiceError

import_app = typer.Typer(no_args_is_help=True, help="Bring along what another system knows.")

_LINKS_AT_ONCE = 1_000
_FIELDS = ("stripe_customer_id", "kilo_user_id", "organization_id")


def pending(
    data: Data = None, url: Url = None, as_json: AsJson = False, limit: Annotated[int, typer.Option(min=1)] = 100
) -> None:
    """List the Stripe events whose user is not known yet, those first that wait longest, and why they wait."""
    view = open_desk(data, url).get(f"pending?limit={limit}")
    if as_json:
        show.show_json(view)
        return
    show.show_rows([row | {"ids": " ".join(row["ids"])} for row in view["events"]])
    show.out.print(f"{view['waiting']} wait")


@import_app.command("links")
def import_links(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    data: Data = None,
    url: Url = None,
) -> None:
    """Say whose Stripe customers are: CSV with a head, or JSON lines, with the fields of a link.

    Those are stripe_customer_id and either kilo_user_id or organization_id. Each link counts once, so that the same
    file may be imported again.
    """
    desk = open_desk(data, url)
    links = list(_read_links(file))
    accepted = duplicates = 0
    with Progress(console=show.out, transient=True) as progress:
        task = progress.add_task("links", total=len(links))
        for start in range(0, len(links), _LINKS_AT_ONCE):
            chunk = links[start : start + _LINKS_AT_ONCE]
            answer = desk.post("links", json.dumps({"links": chunk}).encode())
            accepted, duplicates = accepted + answer["accepted"], duplicates + answer["duplicates"]
            progress.advance(task, len(chunk))
    show.out.print(f"accepted {accepted}, known before {duplicates}")


def _read_links(file: Path) -> Iterator[dict[str, Any]]:
    """The links in a file. Raises `ServiceError` that names the line."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        is_json = lines.read(1) == "{"
        lines.seek(0)
        rows: Any = enumerate(lines, 1) if is_json else enumerate(csv.DictReader(lines), 2)
        for number, row in rows:
            if is_json and not row.strip():
                continue
            try:
                said = json.loads(row) if is_json else row
                link = {name: said[name].strip() for name in _FIELDS if said.get(name)}
            except (ValueError, AttributeError):
                link = {}
            if "stripe_customer_id" not in link or len(link) != 2:
                message = "expected stripe_customer_id, and kilo_user_id or organization_id"
                raise ServiceError(message, path=f"{file.name}:{number}")
            yield link
