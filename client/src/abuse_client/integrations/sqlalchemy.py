"""Events that leave after the commit of a SQLAlchemy session, and never after a rollback.

```python
after_commit = AfterCommit(client)
with Session.begin() as session:
    user.blocked_at = now
    after_commit.report_event(session, events.user_blocked(kilo_user_id=user.id, reason=reason))
```
"""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import event as sqlalchemy_events
from sqlalchemy.orm import Session, SessionTransaction

from abuse_client.contract import AuthEventPayload
from abuse_client.integrations.reports import Fields, GivenEvent, Reports

_OUTBOX = "abuse_client.outbox"


class AfterCommit:
    """Reports once what it is told within a transaction has been committed.

    A report belongs to the innermost savepoint that is open when it is made: a rollback of that savepoint, or of
    anything around it, takes the report with it. A session may be a `Session`, an `AsyncSession` or a scoped one. One
    that is joined into somebody else's transaction reports when it commits itself.
    """

    def __init__(self, client: Reports) -> None:
        self._client = client

    def report_event(self, session: Any, event: GivenEvent) -> None:
        """Report an event after the commit."""
        _outbox(session).put(lambda: self._client.report_event(event))

    def report_events(self, session: Any, events: Iterable[GivenEvent]) -> None:
        """Report any number of events after the commit."""
        for event in events:
            self.report_event(session, event)

    def report_auth_event(self, session: Any, payload: AuthEventPayload | Fields) -> None:
        """Report a sign-up or sign-in after the commit."""
        _outbox(session).put(lambda: self._client.report_auth_event(payload))


class _Outbox:
    """What one session has to report, each with the transactions that it depends on, innermost first."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[tuple[list[SessionTransaction], Callable[[], None]]] = []
        sqlalchemy_events.listen(session, "after_commit", self._committed)
        sqlalchemy_events.listen(session, "after_transaction_end", self._ended)

    def put(self, report: Callable[[], None]) -> None:
        if not self._session.in_transaction():
            self._session.begin()  # as its first statement would: a rollback before that must take the report along
        innermost = self._session.get_nested_transaction() or self._session.get_transaction()
        depends_on = []
        while innermost is not None:
            depends_on.append(innermost)
            innermost = innermost.parent
        self._waiting.append((depends_on, report))

    def _committed(self, session: Session) -> None:
        savepoint = session.get_nested_transaction()
        if savepoint is not None:  # released: what was reported in it depends on what is around it only
            self._waiting = [
                ([one for one in depends_on if one is not savepoint], report) for depends_on, report in self._waiting
            ]
            return
        reports, self._waiting = [report for _, report in self._waiting], []
        for report in reports:
            report()

    def _ended(self, _: Session, transaction: SessionTransaction) -> None:
        # However it ended, what still depends on it was not committed: rolled back, or closed.
        self._waiting = [one for one in self._waiting if not any(found is transaction for found in one[0])]


def _outbox(session: Any) -> _Outbox:
    real = _real_session(session)
    outbox = real.info.get(_OUTBOX)
    if not isinstance(outbox, _Outbox) or outbox._session is not real:
        outbox = real.info[_OUTBOX] = _Outbox(real)
    return outbox


def _real_session(session: Any) -> Session:
    if not isinstance(session, Session) and callable(session):  # a scoped one
        session = session()
    found = getattr(session, "sync_session", session)
    if not isinstance(found, Session):
        raise TypeError(f"session: found {type(found).__name__}, expected a session of SQLAlchemy")
    return found
