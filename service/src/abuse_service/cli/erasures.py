"""``abuse-service erase`` and ``erasures``."""

import json
import time
from typing import Annotated
from urllib.parse import quote

import typer
from rich.markup import escape

from abuse_service.cli import show
from abuse_service.cli.options import AsJson, Data, Url, open_desk

Key = Annotated[str, typer.Argument(metavar="KEY", help="user:ID, fingerprint:HASH, or a bare user id.")]

_LOOK_SECONDS = 0.5


def erase(
    key: Key,
    reason: Annotated[str, typer.Option(help="Why, in words that name nobody, such as a number of a request.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person: whatever tells who he is goes from log, record, decisions and files. It can't be taken back."""
    if not yes:
        typer.confirm(f"erase {key} for good?", abort=True)
    desk = open_desk(data, url)
    wish = json.dumps({"reason": reason, "waits": not desk.is_live}).encode()
    said = desk.post_v1(f"identities/{quote(key, safe='')}/erase", wish)
    while said["done_at"] is None:
        time.sleep(_LOOK_SECONDS)
        said = desk.get(f"erasures/{quote(key, safe='')}")
    if as_json:
        show.show_json(said)
        return
    show.out.print(f"{escape(said['identity_key'])} is erased since {said['done_at']}")


def erasures(
    data: Data = None, url: Url = None, as_json: AsJson = False, limit: Annotated[int, typer.Option(min=1)] = 50
) -> None:
    """List who is being erased or was, those first that were asked for last."""
    page = open_desk(data, url).get_v1(f"erasures?limit={limit}")
    if as_json:
        show.show_json(page)
        return
    show.show_rows(page["erasures"])
    show.out.print(f"{page['in_progress']} in progress")
