"""A cloud and its services: what a flow reports is found in the records, and a backfill mends what was lost."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import select

from abuse_lab.service_process import ServiceProcess, run_service
from cloud.accounts.models import User
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.running import RunningCloud, run_cloud, run_server
from cloud.story.person import Person
from cloud.testing import Sink, Town, run_sink
from cloud.testing.flows import FLOWS
from cloud.testing.stripe_desk import StripeDesk

Json = dict[str, Any]
KEPT_SHARE = 0.6
WAIT_SECONDS = 20.0
NOT_FOUND = 404
EFFACED = re.compile(r'"~[0-9a-f]{32}')


@dataclass(kw_only=True)
class Life:
    """What happened in a cloud, and all that it reported."""

    running: RunningCloud
    reports: list[tuple[str, Json]]
    """Path and body, each event in an envelope of its own."""
    users: list[str]
    forgotten: set[str]
    flow_users: dict[str, str]
    """The user of each flow by its name, where it is known before the flow."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Every flow, in a cloud that goes on running."""
    with (
        run_sink() as sink,
        run_cloud(tmp_path_factory.mktemp("cloud"), abuse_url=sink.url) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        admin = Person(http=http, email=running.admin_email, role="admin").come_in()
        desk = StripeDesk(http, running.stripe_webhook_secret)
        town = Town(running=running, sink=sink, http=http, admin=admin, desk=desk)
        # Twice, so that a backfill has more than a batch to tell.
        flow_users = {flow.name: run_flow(town, flow) for flow in [*FLOWS, *FLOWS]}
        town.settle()
        with running.cloud.database.reading() as session:
            users = {user.id: user.deleted_at is not None for user in session.scalars(select(User))}
        yield Life(
            running=running,
            reports=split(sink),
            users=list(users),
            forgotten={user for user, is_deleted in users.items() if is_deleted},
            flow_users=flow_users,
        )


def run_flow(town: Town, flow: Any) -> str:
    ready = flow.prepare(town)
    ready.act()
    return str(ready.names.get("user", ""))


def split(sink: Sink) -> list[tuple[str, Json]]:
    entries = [("/api/auth-event", body) for body in sink.bodies("/api/auth-event")]
    return [*entries, *(("/api/events", {"events": [event]}) for event in sink.events())]


def report(url: str, reports: list[tuple[str, Json]]) -> None:
    """Tell a service what the cloud said."""
    with httpx.Client(base_url=url, timeout=WAIT_SECONDS, trust_env=False) as http:
        for path, body in reports:
            http.post(path, json=body).raise_for_status()


def ask(url: str, user: str, more: str = "") -> httpx.Response:
    address = f"{url}/v1/identities/{quote(f'user:{user}', safe='')}{more}"
    return httpx.get(address, timeout=WAIT_SECONDS, trust_env=False)


def page(url: str, user: str, more: str = "") -> Json:
    """Return what the service says of a user."""
    found: Json = ask(url, user, more).raise_for_status().json()
    return found


def records(url: str, users: list[str]) -> dict[str, Json]:
    """Return the record of each user who is known; each service has its own words for what it effaced."""
    found = {}
    for user in users:
        answer = ask(url, user)
        if answer.status_code != NOT_FOUND:
            found[user] = json.loads(EFFACED.sub('"~', json.dumps(answer.raise_for_status().json()["record"])))
    return found


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key for all services: among events of one instant and type the order is that of their hashes."""
    return tmp_path_factory.mktemp("key") / "key"


@pytest.fixture(scope="module")
def whole(life: Life, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service that everything reached."""
    with run_service(tmp_path_factory.mktemp("whole") / "data", key_file=key_file) as service:
        report(service.url, life.reports)
        yield service


@dataclass(kw_only=True)
class Gate:
    """Stands before a service and passes so many requests on before it answers nobody any more, until it is opened."""

    service_url: str
    passes_on: int
    is_open: bool = False
    url: str = ""
    holds: int = 0

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.passes_on -= 1
        while self.passes_on < 0 and not self.is_open:
            self.holds += 1
            await asyncio.sleep(0.05)
        headers = {
            name: request.headers[name] for name in ("content-type", "content-encoding") if name in request.headers
        }
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as http:
            answer = await http.post(f"{self.service_url}{request.url.path}", content=body, headers=headers)
        return Response(answer.content, answer.status_code, media_type="application/json")


@contextmanager
def run_gate(service_url: str, *, passes_on: int) -> Iterator[Gate]:
    gate = Gate(service_url=service_url, passes_on=passes_on)
    app = FastAPI(title="gate")
    app.add_api_route("/{path:path}", gate.take, methods=["POST"], response_model=None)
    with run_server(app) as gate.url:
        try:
            yield gate
        finally:
            gate.is_open = True


def begin_backfill(running: RunningCloud, abuse_url: str) -> subprocess.Popen[str]:
    """Start the command as an operator would."""
    said = running.cloud.settings
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUD_", "ABUSE_"))}
    told = {
        "CLOUD_DATABASE_URL": said.database_url,
        "CLOUD_SECRET_KEY": said.secret_key.get_secret_value(),
        "CLOUD_STRIPE_WEBHOOK_SECRET": said.stripe_webhook_secret.get_secret_value(),
        "ABUSE_SERVICE_URL": abuse_url,
    }
    command = [sys.executable, "-m", "cloud", "backfill"]
    return subprocess.Popen(command, env=own | told, stderr=subprocess.PIPE, text=True)


def await_that(holds: Callable[[], bool]) -> bool:
    """Say whether it holds within a minute."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_lost(one: tuple[str, Json], luck: random.Random, forgotten: set[str]) -> bool:
    """Say whether a report never arrives; a sign-in of somebody forgotten cannot be told again, so it is not lost."""
    path, body = one
    return luck.random() > KEPT_SHARE and not (path == "/api/auth-event" and body["kilo_user_id"] in forgotten)


def requests_of_first_batch(life: Life) -> int:
    """Return how many requests a backfill's first batch is, or a few more: each sign-in one, events many in one."""
    in_order = sorted(life.reports, key=lambda one: said_in(*one)["occurred_at"])
    told = [one for one in in_order if one[0] == "/api/events" or user_of(one) not in life.forgotten]
    return sum(path == "/api/auth-event" for path, _ in told[:MAX_EVENTS_A_BATCH]) + 10


def said_in(path: str, body: Json) -> Json:
    said: Json = body if path == "/api/auth-event" else body["events"][0]
    return said


def user_of(report: tuple[str, Json]) -> str:
    said = said_in(*report)
    return str(said.get("data", said).get("kilo_user_id"))


def types_of(life: Life, user: str) -> dict[str, int]:
    mine = [body for path, body in life.reports if user_of((path, body)) == user]
    kinds = (f"auth.{b['event_type']}" if "event_type" in b else b["events"][0]["type"] for b in mine)
    return dict(Counter(kinds))


def stands_in(timeline: list[Json], path: str, body: Json) -> bool:
    """Say whether a timeline holds the report, all of it, at its time."""
    said = said_in(path, body)
    kind = said["type"] if "type" in said else f"auth.{said['event_type']}"
    return any(
        event["type"] == kind
        and round(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000) == said["occurred_at"]
        and event["body"] == said
        for event in timeline
    )


def test_reports_are_found_again(life: Life, whole: ServiceProcess) -> None:
    """Of every living user each report stands in the timeline as it was said, and the record counts it."""
    for user in set(life.users) - life.forgotten:
        assert page(whole.url, user)["record"]["event_counts"] == types_of(life, user)
        timeline = page(whole.url, user, "/timeline?limit=500")["events"]
        mine = [one for one in life.reports if user_of(one) == user]
        assert mine
        assert [one for one in mine if not stands_in(timeline, *one)] == []


@pytest.mark.parametrize(
    ("flow", "path", "value"),
    [
        ("block", "is_blocked", True),
        ("block_many", "is_blocked", True),
        ("come_on_banned_device", "is_blocked", True),
        ("accept_dispute", "is_blocked", True),
        ("unblock", "is_blocked", False),
        ("unblock_many", "is_blocked", False),
        ("end_a_pass", "has_pass", False),
        ("pay_for_a_month", "has_pass", True),
        ("pay_for_credits", "is_paying", True),
        ("redeem", "is_paying", False),
    ],
)
def test_record_says_what_happened(life: Life, whole: ServiceProcess, flow: str, path: str, value: object) -> None:
    """The record of the user of a flow says in its own words what the flow did."""
    assert page(whole.url, life.flow_users[flow])["record"][path] is value


def test_backfill_mends_what_was_lost(life: Life, whole: ServiceProcess, key_file: Path, tmp_path: Path) -> None:
    """Some reports are lost, the backfill is killed in its middle and run again: every record is as if none was."""
    luck = random.Random(7)
    kept = [one for one in life.reports if not is_lost(one, luck, life.forgotten)]
    luck.shuffle(kept)
    with (
        run_service(tmp_path / "data", key_file=key_file) as service,
        run_gate(service.url, passes_on=requests_of_first_batch(life)) as gate,
    ):
        report(service.url, kept)
        expected = records(whole.url, life.users)
        assert len(differences(records(service.url, life.users), expected)) > len(life.users), "much is missing"
        with begin_backfill(life.running, gate.url) as killed:
            is_held = await_that(lambda: gate.holds > 0 or killed.poll() is not None)
            killed.kill()
            _, told = killed.communicate()
        assert (is_held, killed.returncode) == (True, -signal.SIGKILL), told
        gate.is_open = True
        with begin_backfill(life.running, gate.url) as again:
            _, told = again.communicate(timeout=120)
        assert again.returncode == 0, told
        # Who was forgotten is erased in the background.
        await_that(lambda: records(service.url, life.users) == expected)
        assert differences(records(service.url, life.users), expected) == []


def differences(actual: dict[str, Json], expected: dict[str, Json]) -> list[tuple[str, str, object, object]]:
    """Return where records differ: the user, the place, what stands there, what should."""
    return [
        (user, name, actual.get(user, {}).get(name), value)
        for user, record in expected.items()
        for name, value in record.items()
        if actual.get(user, {}).get(name) != value
    ]
