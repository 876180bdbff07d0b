"""``abuse-service export``: everything that is held about one person, as one JSON document."""

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO, Annotated, Any
from urllib.parse import quote, urlencode

import typer

from abuse_service.cli.desk import Request
from abuse_service.cli.options import Data, Url, open_desk
from abuse_service.console_api.v1 import V1
from abuse_service.errors import ServiceError

Key = Annotated[str, typer.Argument(metavar="KEY", help="user:ID, fingerprint:HASH, or a bare user id.")]


def export(
    key: Key,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; it must not be there yet.")
    ] = None,
    data: Data = None,
    url: Url = None,
) -> None:
    """Write everything that is held about a person as JSON: record, links, lists, rejected events, and every event.

    Events come last and newest first, page by page, so that a long life needs no more memory than a short one.
    """
    desk = open_desk(data, url)
    if file is None:
        desk.talk(_write_all(key, sys.stdout))
        return
    try:
        with file.open("x", encoding="utf-8") as out:
            file.chmod(0o600)
            desk.talk(_write_all(key, out))
    except FileExistsError:
        raise ServiceError("the file is there already", path=str(file)) from None


def _write_all(key: str, out: IO[str]) -> Generator[Request, Any, None]:
    """Asks for page after page, and writes each as it comes."""
    cursor: str | None = None
    is_first = True
    while is_first or cursor is not None:
        query = f"?{urlencode({'cursor': cursor})}" if cursor else ""
        page = yield "GET", f"{V1}identities/{quote(key, safe='')}/export{query}", b""
        if is_first:
            head = json.dumps({"identity_key": page["identity_key"]} | page["held"], ensure_ascii=False)
            out.write(f'{head[:-1]}, "events": [')
        for event in page["events"]:
            out.write(("" if is_first else ",") + "\n" + json.dumps(event, ensure_ascii=False))
            is_first = False
        is_first, cursor = False, page["next"]
    out.write("\n]}\n")
