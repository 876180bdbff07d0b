"""One unit of business: what it changes is committed as a whole, and only then reported."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from sqlalchemy.orm import Session

from abuse_client.contract import CloudEvent
from cloud.database import Database, epoch_ms
from cloud.history.service import keep_event
from cloud.reporting import Reporting


@dataclass(kw_only=True)
class Work:
    """An open transaction and the events that are true once it has committed."""

    session: Session
    now: datetime
    happened_at: datetime
    """The business time: the clock's, or what an outside party (Stripe) says."""
    events: list[CloudEvent] = field(default_factory=list)

    @property
    def occurred_at_ms(self) -> int:
        return epoch_ms(self.happened_at)

    def report_after_commit(self, event: CloudEvent) -> None:
        """Report the event when this transaction has committed, and keep it; a rollback does neither."""
        keep_event(self.session, event)
        self.events.append(event)

    def new_event_id(self) -> str:
        """Return an id for an event that no row of a table names already."""
        return uuid4().hex


@contextmanager
def transaction(
    database: Database, reporting: Reporting, now: datetime, happened_at: datetime | None = None
) -> Iterator[Work]:
    """Commit at the end and then report; whatever is raised inside rolls back and reports nothing."""
    with database.writing() as session:
        work = Work(session=session, now=now, happened_at=happened_at or now)
        yield work
    reporting.report_events(work.events)
