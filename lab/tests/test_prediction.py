"""What a backtest predicts is what happens: the same traffic, played again under the policy that was tried."""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from abuse_lab.quality.calls import Endpoint, Fields, World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.doors import InProcess
from abuse_lab.quality.play import Player
from abuse_lab.quality.world import build_world
from abuse_service.policy.policy import DEFAULT_POLICY, Policy
from abuse_service.replay.backtest import Span, play
from abuse_service.replay.findings import Findings, find
from abuse_service.settings import Settings
from abuse_service.wiring import open_past

PATTERNS = ("harvest_cluster", "farm_network", "campus", "customer", "shared_card")
TRIED = {"crowd_users_24h": 2, "network_signups_24h": 2, "new_requests_1m": 2, "new_requests_1h": 9}


class Recorder:
    """A door that writes down what goes through it."""

    def __init__(self, door: InProcess) -> None:
        self._door = door
        self.calls: list[tuple[Endpoint, Fields, int]] = []

    async def post(self, endpoint: Endpoint, fields: Fields, at_ms: int) -> bytes:
        """What the door answers."""
        self.calls.append((endpoint, fields, at_ms))
        return await self._door.post(endpoint, fields, at_ms)


async def play_world(policy: Path, data: Path, world: World) -> list[tuple[Endpoint, Fields, int]]:
    """Play a world under a policy; every call that was made, with its instant."""
    door = InProcess(policy, data)
    await door.service.start()
    recorder = Recorder(door)
    cloud = Cloud(Profile.TODAY, random.Random(1), random.Random(2))
    await Player(recorder, Profile.TODAY, cloud).play(world)
    await door.service.stop()
    return recorder.calls


async def play_again(policy: Path, data: Path, calls: list[tuple[Endpoint, Fields, int]]) -> None:
    """Make the same calls at the same instants under another policy."""
    door = InProcess(policy, data)
    await door.service.start()
    for endpoint, fields, at_ms in calls:
        await door.post(endpoint, fields, at_ms)
    await door.service.stop()


def tried_policy(thresholds: dict[str, int]) -> str:
    """The shipped policy with other thresholds, and without the cases that were written for those that were."""
    said = msgspec.yaml.decode(DEFAULT_POLICY.read_text())
    said["thresholds"] |= thresholds
    for rule in said["rules"]:
        if any(f"threshold.{name}" in rule["when"] for name in thresholds):
            rule["cases"] = []
    return msgspec.yaml.encode(said).decode()


def decided(data: Path) -> dict[int, str]:
    """The verdict of each decision of a log, by its request id."""
    with open_past(Settings(data=data)) as past:
        outcomes = [json.loads(stored.event.outcome) for stored in past.log.read(0) if stored.event.outcome]
    return {outcome["request_id"]: outcome["verdict"] for outcome in outcomes}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Findings]:
    """Where traffic was played under the shipped policy, where under the tried one, and what the backtest said."""
    folder = tmp_path_factory.mktemp("prediction")
    now, tried = folder / "now.yaml", folder / "tried.yaml"
    now.write_text(DEFAULT_POLICY.read_text())
    tried.write_text(tried_policy(TRIED))
    world = build_world(3, Profile.TODAY, PATTERNS, size=0.2)
    calls = asyncio.run(play_world(now, folder / "data", world))
    policies = [Policy(now.read_text()), Policy(tried.read_text())]
    with open_past(Settings(data=folder / "data")) as past:
        findings = find([play(past, policies, Span(1, past.log.find_last_position() + 1))], policies, ["now", "tried"])
    asyncio.run(play_again(tried, folder / "again", calls))
    return folder / "data", folder / "again", findings


def test_prediction_is_what_happens(played: tuple[Path, Path, Findings]) -> None:
    """Decisions by verdict, and how many change from what to what, are those of the traffic played again."""
    before, after = decided(played[0]), decided(played[1])
    now, tried = played[2].policies
    assert before.keys() == after.keys()
    assert now.verdicts == Counter(before.values())
    assert tried.verdicts == Counter(after.values())
    changes = Counter((before[one], after[one]) for one in before if before[one] != after[one])
    assert {(change.before, change.after): change.decisions for change in tried.changes} == changes
    assert tried.changed > 10
