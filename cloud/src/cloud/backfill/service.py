"""Telling an abuse service everything again, in event time: repeats count once there, and a run that ended goes on."""

import heapq
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from abuse_client import AbuseClient
from cloud.backfill.tables import SOURCES, rows_of
from cloud.backfill.telling import Telling
from cloud.database import Database
from cloud.history.models import BackfillCursor, Happening
from cloud.history.service import retold
from cloud.reporting import MAX_EVENTS_A_BATCH

PATIENCE_SECONDS = 60.0
"""How long a service may need for one batch before it counts as away."""


class ServiceAway(Exception):
    """the abuse service did not take the events; see the log for why, mend it, and run this again: it goes on here"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What was told so far, and how far that reaches."""

    told: int = 0
    refused: int = 0
    """Of those told: what the service did not take, and will not take another time either."""
    reached_ms: int = 0


def backfill(
    database: Database,
    client: AbuseClient,
    address: str,
    *,
    since_ms: int = 0,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Tell everything that happened since then, from where an earlier run to the same address ended.

    Raises `ServiceAway` when nothing gets through any more; what was told before that is not told again.
    """
    progress = Progress(reached_ms=max(since_ms, reached(database, address)))
    with database.reading() as session, closing(tellings(session, progress.reached_ms)) as story:
        for batch in batches(story):
            refused = deliver(client, batch)
            progress = Progress(
                told=progress.told + len(batch), refused=progress.refused + refused, reached_ms=batch[-1].at_ms
            )
            keep_cursor(database, address, progress.reached_ms)
            on_progress(progress)
    drop_cursor(database, address)
    return progress


def tellings(session: Session, since_ms: int) -> Generator[Telling, None, None]:
    """Yield history and tables as one story, in event time. At a cursor's own instant everything is told again."""
    with ExitStack() as opened:
        told = [happenings(session, since_ms), *(tell(session) for tell in SOURCES)]
        sources = [opened.enter_context(closing(source)) for source in told]
        # By time alone: each source is in this order, and what happened at one instant may come in any.
        for one in heapq.merge(*sources, key=lambda one: one.at_ms):
            if one.at_ms >= since_ms:
                yield one


def happenings(session: Session, since_ms: int) -> Generator[Telling, None, None]:
    """Yield the history, word for word as it was reported."""
    later = select(Happening).where(Happening.occurred_at_ms >= since_ms)
    for (row,) in rows_of(session, later.order_by(Happening.occurred_at_ms, Happening.id)):
        yield Telling(at_ms=row.occurred_at_ms, id=row.id, said=retold(row))


def batches(story: Iterator[Telling]) -> Iterator[list[Telling]]:
    while batch := list(islice(story, MAX_EVENTS_A_BATCH)):
        yield batch


def deliver(client: AbuseClient, batch: list[Telling]) -> int:
    """Tell the batch, wait until the service has it, and return how many it refused."""
    before = client.stats()
    for one in batch:
        one.tell(client)
    if not client.flush(PATIENCE_SECONDS):
        raise ServiceAway
    after = client.stats()
    failed = after.failed - before.failed + after.dropped - before.dropped
    if failed >= len(batch):
        raise ServiceAway
    return failed


def reached(database: Database, address: str) -> int:
    with database.reading() as session:
        held = session.get(BackfillCursor, address)
        return held.reached_ms if held is not None else 0


def keep_cursor(database: Database, address: str, reached_ms: int) -> None:
    with database.writing() as session:
        session.merge(BackfillCursor(address=address, reached_ms=reached_ms))


def drop_cursor(database: Database, address: str) -> None:
    with database.writing() as session:
        held = session.get(BackfillCursor, address)
        if held is not None:
            session.delete(held)
