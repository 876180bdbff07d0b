"""`python -m cloud backfill`: tell the abuse service of the settings everything that happened."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime

from cloud.backfill.service import Progress, ServiceAway, backfill
from cloud.database import Database, epoch_ms, migrate
from cloud.settings import Settings
from cloud.wiring import build_abuse_client

LINE_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what may be said of a backfill."""
    parser.add_argument(
        "--since",
        type=instant,
        default=datetime.fromtimestamp(0, UTC),
        help="tell only what happened from then on, an ISO 8601 instant with its zone: the beginning of a gap",
    )


def run(settings: Settings, since: datetime) -> int:
    """Run to the end and return the exit status: 0 when all was taken."""
    address = settings.abuse_url or os.environ.get("ABUSE_SERVICE_URL", "").strip()
    if not address:
        return say("found no abuse service, expected its address in ABUSE_SERVICE_URL or CLOUD_ABUSE_URL", 2)
    migrate(settings.database_url)
    database, client = Database(settings.database_url), build_abuse_client(settings)
    try:
        end = backfill(database, client, address, since_ms=epoch_ms(since), on_progress=Lines())
    except ServiceAway as away:
        return say(str(away), 1)
    finally:
        client.close()
        database.close()
    told = f"told {end.told - end.refused:,} events"
    return say(f"{told}; {end.refused:,} were refused, the log says why" if end.refused else told, int(end.refused > 0))


class Lines:
    """Progress as a line every two seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINE_SECONDS

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            reached = datetime.fromtimestamp(progress.reached_ms / 1000, UTC)
            say(f"told {progress.told:,} events, up to {reached:%Y-%m-%d %H:%M}", 0)


def say(text: str, status: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return status


def instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("expected a zone")
    return found
