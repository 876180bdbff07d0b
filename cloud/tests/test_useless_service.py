"""Whatever the abuse service does, people get the same answers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cloud.running import run_cloud
from cloud.story.person import Person
from cloud.testing import Sink, Town, run_sink
from cloud.testing.faulty import Fault, run_faulty
from cloud.testing.flows import FLOWS
from cloud.testing.stripe_desk import StripeDesk

OWN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z]+_[0-9a-f]{16,}|[\w-]+\.[\w-]+\.[\w-]{20,}")
"""What no two answers share: ids and signed tokens."""
ASKED = {
    "a chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello."}]}),
    "a message": ("/v1/messages", {"messages": [{"role": "user", "content": "Hello."}]}),
}


@pytest.fixture(scope="module")
def answers_of_healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with run_sink() as sink:
        return answers(tmp_path_factory, sink.url)


@pytest.fixture(scope="module", params=list(Fault))
def answers_of_faulty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with run_faulty(request.param) as url:
        return answers(tmp_path_factory, url)


def answers(tmp_path_factory: pytest.TempPathFactory, abuse_url: str) -> dict[str, Any]:
    """Run every flow, and the gateway, in a fresh cloud that reports to the address; return what people were told."""
    with (
        short_goodbyes(),
        run_cloud(
            tmp_path_factory.mktemp("cloud"),
            abuse_url=abuse_url,
            abuse_client_id="cloud",
            abuse_client_secret="a token that nobody knows",
            classify_deadline_seconds=0.2,
        ) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        town = Town(
            running=running,
            sink=Sink(),
            http=http,
            admin=Person(http=http, email=running.admin_email, role="admin").come_in(),
            desk=StripeDesk(http, running.stripe_webhook_secret),
        )
        told = {flow.name: told_by(flow.prepare(town).act()) for flow in FLOWS}
        user = town.resident()
        for name, (path, body) in ASKED.items():
            wish = body | {"model": "open/swift-1", "max_tokens": 16}
            told[name] = user.send("POST", path, json=wish).status_code
        return told


@contextmanager
def short_goodbyes() -> Iterator[None]:
    """Let a cloud that ends give up at once on what it could not report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.app.FLUSH_SECONDS", 0.1)
        patch.setattr("cloud.gateway.service.CLOSE_SECONDS", 0.1)
        yield


def told_by(answer: httpx.Response) -> tuple[int, str, str]:
    """Return what an answer says, without what is its own."""
    return answer.status_code, OWN.sub("…", answer.text), OWN.sub("…", answer.headers.get("location", ""))


def test_answers_are_the_same(answers_of_healthy: dict[str, Any], answers_of_faulty: dict[str, Any]) -> None:
    """Every flow answers as it does beside a service that takes everything."""
    assert answers_of_faulty == answers_of_healthy
