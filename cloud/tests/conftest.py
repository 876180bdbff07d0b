"""A running cloud that reports to a recording service, and people who use it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.running import RunningCloud, run_cloud
from cloud.story.person import Person
from cloud.story.stripe_desk import StripeDesk
from cloud.testing import Sink, classification_of, run_sink

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
        return Person(http=self.http, **({"email": f"person-{next(numbers)}@example.com"} | known))

    def resident(self, **known: Any) -> Person:
        """Return somebody who has just signed up."""
        return self.newcomer(**known).come_in()

    def settle(self) -> None:
        """Wait until every report has arrived."""
        self.admin.do("GET", "/admin/reports", params={"wait_seconds": WAIT_SECONDS})

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events that have arrived since the test began, all or of one type."""
        self.settle()
        return self.sink.events(kind)

    def arrived(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that have arrived at the path since the test began."""
        self.settle()
        return self.sink.bodies(path)

    def forget(self) -> None:
        """Begin anew, with a service that allows everything at once."""
        self.settle()
        self.sink.received.clear()
        self.sink.classification = classification_of()
        self.sink.status, self.sink.delay_seconds = 200, 0.0


@pytest.fixture(scope="session")
def one_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory: Path = tmp_path_factory.mktemp("cloud")
    waits = {f"quarantine_{level}_seconds": 0.01 * level for level in (1, 2, 3)}
    with (
        run_sink() as sink,
        run_cloud(directory, abuse_url=sink.url, **waits) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield Town(
            running=running,
            sink=sink,
            http=http,
            admin=Person(http=http, email=running.admin_email, role="admin").come_in(),
            desk=StripeDesk(http, running.stripe_webhook_secret),
        )


@pytest.fixture
def town(one_town: Town) -> Town:
    one_town.forget()
    return one_town


@pytest.fixture
def stranger(town: Town) -> Person:
    return town.newcomer()


@pytest.fixture
def user(town: Town) -> Person:
    """Somebody who has signed up; what that reported is forgotten."""
    resident = town.resident()
    town.forget()
    return resident


@pytest.fixture
def another(town: Town) -> Person:
    resident = town.resident()
    town.forget()
    return resident
