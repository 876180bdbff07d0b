"""Every flow that reports: what it reports, word for word; nothing when its commit fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from abuse_client.testing import RecordingClient
from cloud.context import Cloud
from cloud.history.models import Happening
from cloud.reporting import ReportCounts, Reporting
from cloud.running import run_cloud
from cloud.settings import Settings
from cloud.story.person import Person
from cloud.testing import Sink, Town
from cloud.testing.flows import FLOWS, GROUPS, Flow
from cloud.testing.stripe_desk import StripeDesk
from cloud.wiring import build_cloud

EXPECTED = Path(__file__).parent / "expected"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EACH_FLOW = pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)


@pytest.fixture(scope="module")
def recorder() -> RecordingClient:
    return RecordingClient()


@pytest.fixture(scope="module")
def recorded_town(tmp_path_factory: pytest.TempPathFactory, recorder: RecordingClient) -> Iterator[Town]:
    """A town at an instant that never passes, whose reports stay in the process."""

    def build(settings: Settings) -> Cloud:
        reporting = Reporting(recorder, ReportCounts())  # type: ignore[arg-type]
        return replace(build_cloud(settings, clock=lambda: NOW), reporting=reporting)

    with (
        run_cloud(tmp_path_factory.mktemp("recorded"), build=build) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield Town(
            running=running,
            sink=Sink(),
            http=http,
            admin=Person(http=http, email=running.admin_email, role="admin").come_in(),
            desk=StripeDesk(http, running.stripe_webhook_secret),
        )


def expected_of(flow: Flow) -> dict[str, Any]:
    """Return what is written down of the flow."""
    group = next(name for name, flows in GROUPS.items() if flow in flows)
    found: dict[str, Any] = json.loads((EXPECTED / f"{group}.json").read_text(encoding="utf-8"))[flow.name]
    return found


def put_names(expected: Any, actual: Any, names: dict[str, Any]) -> Any:
    """Return what is expected with each `$word` replaced by what it means; a new word means what stands there."""
    if isinstance(expected, dict):
        found = actual if isinstance(actual, dict) else {}
        return {key: put_names(value, found.get(key), names) for key, value in expected.items()}
    if isinstance(expected, list):
        found = actual if isinstance(actual, list) else []
        padded = [*found, *[None] * len(expected)]
        return [put_names(value, other, names) for value, other in zip(expected, padded, strict=False)]
    if not isinstance(expected, str):
        return expected
    if expected.startswith("$") and expected[1:].isidentifier() and actual:
        names.setdefault(expected[1:], actual)
        return names[expected[1:]]
    return Template(expected).safe_substitute(names)


@EACH_FLOW
def test_flow_reports(recorded_town: Town, recorder: RecordingClient, flow: Flow) -> None:
    """A flow reports exactly what is written down: every field, the time when it happened, and nothing else."""
    ready = flow.prepare(recorded_town)
    recorded_town.settle()
    recorder.clear()
    ready.act()
    recorded_town.settle()
    actual = {"events": recorder.events, "auth_events": recorder.auth_events}
    told = json.loads(json.dumps({kind: reports for kind, reports in actual.items() if reports}))
    names: dict[str, Any] = dict(ready.names)
    assert told == put_names(expected_of(flow), told, names)
    # What the Stripe of this machine tells by itself has the machine's time.
    assert names.get("created_ms", 0) == names.get("created", 0) * 1000


@contextmanager
def failing_commits() -> Iterator[None]:
    """Make every commit fail, as a full disk would."""

    def fail(_: Session) -> None:
        raise OperationalError("COMMIT", {}, OSError("no space left on device"))

    event.listen(Session, "before_commit", fail)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", fail)


@EACH_FLOW
def test_failed_commit_reports_nothing(each_town: Town, flow: Flow) -> None:
    """When the commit of a flow fails, its caller is told, and the abuse service and the history are not."""
    ready = flow.prepare(each_town)
    each_town.forget()
    kept = count_happenings(each_town)
    with failing_commits():
        answer = ready.act()
    assert answer.status_code == 503
    each_town.settle()
    assert [received.body for received in each_town.sink.received] == []
    assert count_happenings(each_town) == kept


def count_happenings(town: Town) -> int:
    with town.running.cloud.database.reading() as session:
        return session.scalars(select(func.count()).select_from(Happening)).one()
