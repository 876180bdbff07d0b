"""``abuse-service import events``: a cloud's past, from files of what it would have sent."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from abuse_service.cli import show
from abuse_service.cli.desk import AUTH_PATH, EVENTS_PATH, Busy, Request
from abuse_service.cli.options import Data, Url, open_desk
from abuse_service.errors import ServiceError
from abuse_service.wiring import History, Line, rejects_of

_AT_ONCE = 1_000
_BYTES_AT_ONCE = 4 * 2**20
_MOST_TRIES = 60
_LONGEST_WAIT_SECONDS = 30.0

Files = Annotated[
    list[Path],
    typer.Argument(exists=True, dir_okay=False, readable=True, metavar="FILE…", help="JSON lines or Parquet."),
]


def import_events(files: Files, data: Data = None, url: Url = None) -> None:
    """Take in what happened before: business and auth events as they go over the wire, each with its `occurred_at`.

    They are taken in the order of their times, whatever their order in the files. Each counts once, so the same files
    may be imported again; after a kill the verb goes on where it was. Lines that can't be taken go to
    FILE.rejected.jsonl with their reasons, and the status is 1 then.
    """
    desk = open_desk(data, url)
    counts = {"accepted": 0, "duplicates": 0}
    with History(files) as history, Progress(console=Console(stderr=True), transient=True) as bar:
        reading = bar.add_task("reading", total=history.bytes)
        for size in history.read():
            bar.advance(reading, size)
        sending = bar.add_task("importing", total=history.count, completed=history.done)
        desk.talk(_send(history, counts, lambda: bar.update(sending, completed=history.done)))
        history.finish()
    show.out.print(f"accepted {counts['accepted']:,}, known before {counts['duplicates']:,}")
    if history.rejected:
        places = ", ".join(str(rejects_of(file)) for file in files if rejects_of(file).exists())
        raise ServiceError(f"{history.rejected:,} lines were not taken; they are in {places} with their reasons")


def _send(history: History, counts: dict[str, int], progress: Callable[[], object]) -> Generator[Request, Any, None]:
    for path, lines in _batches(history.lines()):
        texts = [line.text for line in lines]
        body = texts[0] if path == AUTH_PATH else b'{"events":[' + b",".join(texts) + b"]}"
        try:
            answer = yield from _patiently(path, body)
        except Busy:
            raise
        except ServiceError as error:
            if path != AUTH_PATH:
                raise
            history.reject(lines[0], f"{error.path}: {error.message}" if error.path else error.message)
            answer = {}
        if path == AUTH_PATH:
            counts["accepted"] += bool(answer)
        else:
            counts["accepted"] += answer["accepted"]
            counts["duplicates"] += answer["duplicates"]
            for refused in answer["rejected"]:
                history.reject(lines[refused["index"]], f"{refused['path']}: {refused['message']}")
        history.note_done(len(lines))
        progress()


def _patiently(path: str, body: bytes) -> Generator[Request, Any, Any]:
    """Ask, and again while the service has no room. Raises `Busy` when that takes too long."""
    for tries in range(1, _MOST_TRIES + 1):
        try:
            return (yield "POST", path, body)
        except Busy as busy:
            if tries == _MOST_TRIES:
                raise
            time.sleep(min(busy.after_seconds * tries, _LONGEST_WAIT_SECONDS))
    raise AssertionError("unreachable")


def _batches(lines: Iterable[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Business events together as far as they follow one another, auth events one by one."""
    waiting: list[Line] = []
    size = 0
    for line in lines:
        if line.is_auth or len(waiting) == _AT_ONCE or size + len(line.text) > _BYTES_AT_ONCE:
            if waiting:
                yield EVENTS_PATH, waiting
            waiting, size = [], 0
        if line.is_auth:
            yield AUTH_PATH, [line]
        else:
            waiting.append(line)
            size += len(line.text)
    if waiting:
        yield EVENTS_PATH, waiting
