"""A running cloud that reports to a recording service, and people who use it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cloud.running import run_cloud
from cloud.story.person import Person
from cloud.story.stripe_desk import StripeDesk
from cloud.testing import Town, run_sink


@pytest.fixture(scope="session")
def one_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    waits: dict[str, Any] = {f"quarantine_{level}_seconds": 0.01 * level for level in (1, 2, 3)}
    with (
        run_sink() as sink,
        run_cloud(tmp_path_factory.mktemp("cloud"), abuse_url=sink.url, **waits) as running,
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
