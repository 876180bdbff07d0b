"""What the service said once the story was told. Nothing in here is inferred: each field is an answer of the service,
except the deeds and the cloud's own counts, which the service's are held against."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from abuse_lab.desk import DecisionLine, ExplainedDecision, IdentityPage, KeptEvent, ServiceDesk
from cloud.story import Account, StoryReport

UNKNOWN_TYPE = "demo.tea_served"
SETTLE_SECONDS = 10.0
_WIRE_NAMES = {
    "auth.signup": "auth.signup",
    "auth.signin": "auth.signin",
    "request.classified": "classify",
    "request.cost_reported": "usage.cost",
}
"""The service's own types, and the names under which the cloud counts the same."""


@dataclass(frozen=True, kw_only=True)
class AccountSight:
    """One account: who it is in the story, and what the service says of it."""

    account: Account
    page: IdentityPage
    decisions: tuple[ExplainedDecision, ...]
    """Newest first, each as the service explains it."""

    @property
    def line(self) -> DecisionLine:
        """The newest decision as the account's page lists it."""
        return self.page.decisions[0]


@dataclass(frozen=True, kw_only=True)
class UnknownSight:
    """What became of an event whose type nobody knows."""

    answer: Mapping[str, Any]
    kept: KeptEvent | None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Everything that the service was asked."""

    received: Mapping[str, int]
    reported: Mapping[str, int]
    unknown: UnknownSight
    accounts: tuple[AccountSight, ...]

    def account(self, role: str) -> AccountSight:
        """The account of a role."""
        return next(seen for seen in self.accounts if seen.account.role == role)


def look(desk: ServiceDesk, report: StoryReport) -> Sight:
    """Ask the service about all that the story did."""
    unknown = send_unknown(desk)
    reported = {name: report.reported.get(said, 0) for name, said in _WIRE_NAMES.items()} | report.event_counts
    return Sight(
        received=settled_counts(desk, sum(reported.values())),
        reported=reported,
        unknown=unknown,
        accounts=tuple(look_at(desk, account) for account in report.accounts),
    )


def look_at(desk: ServiceDesk, account: Account) -> AccountSight:
    """Ask for an account's page, and for the reasons of each decision on it."""
    page = desk.identity(f"user:{account.kilo_user_id}")
    return AccountSight(
        account=account, page=page, decisions=tuple(desk.decision(line.request_id) for line in page.decisions)
    )


def send_unknown(desk: ServiceDesk) -> UnknownSight:
    """Send an event of a type that nobody knows, and look for it in the log."""
    mark, before = uuid4().hex, desk.position()
    answer = desk.post("/api/events", {"events": [{"type": UNKNOWN_TYPE, "data": {"mark": mark, "cups": 2}}]})
    found = (kept for kept in desk.events(before) if kept.body.get("data", {}).get("mark") == mark)
    return UnknownSight(answer=answer, kept=next(found, None))


def settled_counts(desk: ServiceDesk, expected: int) -> dict[str, int]:
    """The service's counts by type, once as many events arrived as the cloud reported, or after a while."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        counts = desk.event_counts()
        arrived = sum(number for kind, number in counts.items() if kind != "unknown")
        if arrived >= expected or time.monotonic() > deadline:
            return counts
        time.sleep(0.05)
