"""The story: a believable life in which all 17 events leave."""

from collections import Counter
from pathlib import Path

import pytest

from abuse_client.contract import EVENT_CLASSES
from cloud.running import run_cloud
from cloud.story import StoryReport, play
from cloud.testing import Sink, classification_of, run_sink


def tell(directory: Path, sink: Sink) -> tuple[StoryReport, list[tuple[int, int, str]]]:
    steps: list[tuple[int, int, str]] = []
    with run_cloud(directory, abuse_url=sink.url, quarantine_3_seconds=0.0) as running:
        report = play(
            running.url,
            admin_email=running.admin_email,
            on_step=lambda done, total, text: steps.append((done, total, text)),
        )
    return report, steps


def test_story_reports_all_types(tmp_path: Path) -> None:
    """All 17 types leave, and the cloud's own counts are what arrived."""
    with run_sink() as sink:
        report, _ = tell(tmp_path, sink)
    arrived = Counter(event["type"] for event in sink.events())
    assert set(arrived) == set(EVENT_CLASSES)
    assert report.event_counts == dict(arrived)
    assert report.reported["usage.cost"] == len(sink.bodies("/api/usage/cost"))


def test_story_names_its_people(tmp_path: Path) -> None:
    """The report tells who was blocked, who came back on the same device, and who drained the free tier."""
    with run_sink() as sink:
        report, steps = tell(tmp_path, sink)
    blocked, back = report.account("blocked"), report.account("same_device")
    entries = sink.bodies("/api/auth-event")
    devices = {e["kilo_user_id"]: e["stytch_hardware_fingerprint"] for e in entries if e["event_type"] == "signin"}
    assert devices[blocked.kilo_user_id] == devices[back.kilo_user_id]
    assert len(set(devices.values())) == len(devices) - 1
    drained = report.account("drained").kilo_user_id
    costs = [body["cost"] for body in sink.bodies("/api/usage/cost") if body["kilo_user_id"] == drained]
    assert sum(costs) > 1_200_000
    assert len(costs) <= 60
    assert steps[-1][:2] == (steps[-1][1], steps[-1][1])
    assert [done for done, _, _ in steps] == list(range(len(steps)))


@pytest.mark.parametrize(
    ("verdict", "action"), [("HARD_BLOCK", "block"), ("SOFT_BLOCK", "rate-limit"), ("SOFT_BLOCK", "quarantine-3")]
)
def test_story_survives_strict_service(tmp_path: Path, verdict: str, action: str) -> None:
    """A service that refuses everybody ends no chapter early: all 17 types leave all the same."""
    with run_sink() as sink:
        sink.classification = classification_of(verdict=verdict, action=action)
        report, _ = tell(tmp_path, sink)
    assert len(report.event_counts) == 17
