"""A running cloud, the recording service that it reports to, and people who use it."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import uuid4

import httpx

from cloud.running import RunningCloud
from cloud.story.person import Person
from cloud.testing.sink import Sink, classification_of
from cloud.testing.stripe_desk import StripeDesk

WAIT_SECONDS = 10
numbers = count(1)


@dataclass(kw_only=True)
class Town:
    """The cloud, the service that it reports to, and the one administrator."""

    running: RunningCloud
    sink: Sink
    http: httpx.Client
    admin: Person
    desk: StripeDesk

    def newcomer(self, **known: Any) -> Person:
        """Return somebody whom the cloud has never seen."""
        usual: dict[str, Any] = {"http": self.http, "email": f"person-{next(numbers)}@example.com"}
        return Person(**(usual | known))

    def resident(self, **known: Any) -> Person:
        """Return somebody who has just signed up."""
        return self.newcomer(**known).come_in()

    def new_word(self) -> str:
        """Return a word that nobody has used."""
        return uuid4().hex

    def settle(self) -> None:
        """Wait until nothing is on its way: no card to charge, no webhook, no report."""
        self.running.cloud.background.flush(WAIT_SECONDS)
        self.running.stripe.webhooks.settle(WAIT_SECONDS)
        self.admin.do("GET", "/admin/reports", params={"wait_seconds": WAIT_SECONDS})

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events that have arrived since the test began, all or of one type, in the order of happening."""
        self.settle()
        return in_order(self.sink.events(kind))

    def arrived(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that have arrived at the path since the test began, in the order of happening."""
        self.settle()
        return in_order(self.sink.bodies(path))

    def forget(self) -> None:
        """Begin anew, with a service that allows everything at once."""
        self.settle()
        self.sink.received.clear()
        self.sink.classification = classification_of()
        self.sink.status, self.sink.delay_seconds = 200, 0.0


def in_order(arrived: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by when it happened: reports travel beside each other, and a later one may arrive first."""
    return sorted(arrived, key=lambda report: report.get("occurred_at") or 0)
