"""The log told once more: each decision comes out as it did, from what was known then and nothing later."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from abuse_service.errors import NotFound, RefusedToStart
from abuse_service.events.event import OWN_SOURCE, RULE_GUARDED, Event, Stored
from abuse_service.policy.source import DEFAULT_POLICY
from abuse_service.replay.past import Again, explain_as_then
from abuse_service.replay.story import holds_decision, tell
from abuse_service.settings import Settings
from abuse_service.storage.blocks import checksum, pack_events, unpack_block
from abuse_service.storage.directory import DATABASE_NAME
from abuse_service.testing import NOW_MS
from abuse_service.wiring import open_past

USERS = [f"u{number}" for number in range(12)]


class Positions:
    """A log of events that stand where they are put."""

    def __init__(self, *events: Event) -> None:
        self._stored = [Stored(position, event) for position, event in enumerate(events, 1)]

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Those behind a position."""
        return iter([stored for stored in self._stored if stored.position > after])


def told(event_type: str = "user.blocked") -> Event:
    """An event that a cloud sent."""
    return Event(event_type, "cloud", NOW_MS, NOW_MS, b"{}")


def decided(request_id: int, seen: int) -> Event:
    """The record of a decision that had seen the log up to a position."""
    outcome = json.dumps({"position": seen}).encode()
    return Event("request.classified", "cloud", NOW_MS, NOW_MS, b"{}", outcome=outcome, request_id=request_id)


def test_decision_comes_before_what_it_had_not_seen() -> None:
    """A record's place in the log is behind what was committed meanwhile; it is told where its decision stood."""
    guarded = Event(RULE_GUARDED, OWN_SOURCE, NOW_MS, NOW_MS, b"{}")
    log = Positions(
        told(), told(), decided(1, 1), told(), guarded, decided(2, 1), decided(3, 4), told(), told(), decided(4, 8)
    )
    assert [stored.position for stored in tell(log)] == [1, 3, 6, 5, 2, 4, 7, 8, 10, 9]


def test_what_the_crash_took_is_not_waited_for() -> None:
    """The record of a decision that tripped the guard may be lost; the guard's own stays."""
    log = Positions(told(), decided(1, 1), Event(RULE_GUARDED, OWN_SOURCE, NOW_MS, NOW_MS, b"{}"))
    assert [stored.position for stored in tell(log)] == [1, 2, 3]
    assert list(tell(Positions())) == []


class Traffic:
    """Senders that all write at once about a few users who share devices, networks and cards."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(4)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        rng = random.Random(number)
        while not self._stop.is_set():
            user = rng.choice(USERS)
            network = {
                "ip_address": f"203.0.113.{rng.randrange(9)}",
                "user_agent": rng.choice(("curl/8", "Mozilla/5.0")),
            }
            dice = rng.random()
            if dice < 0.2:
                self._sign_in(rng, user, network)
            elif dice < 0.7:
                self._ask(rng, user, network)
            else:
                self.service.events(*(self._event(rng) for _ in range(rng.randrange(1, 30))))

    def _sign_in(self, rng: random.Random, user: str, network: dict[str, str]) -> None:
        said = {"kilo_user_id": user, "event_type": rng.choice(("signup", "signin")), "email": f"{user}@example.com"}
        said["stytch_hardware_fingerprint"] = f"device-{rng.randrange(5)}"
        self.service.post("/api/auth-event", said | network)

    def _ask(self, rng: random.Random, user: str, network: dict[str, str]) -> None:
        asked = {"kilo_user_id": rng.choice((user, None)), "requested_model": rng.choice(("m1", "m2", "m3"))}
        asked |= network | {"max_tokens": rng.randrange(2000), "user_prompt": "x" * rng.randrange(500)}
        answer = self.service.post("/api/classify", asked).json()
        cost = {
            "request_id": answer["request_id"],
            "message_id": f"m{answer['request_id']}",
            "cost": rng.randrange(90_000),
        }
        if rng.random() < 0.7:
            self.service.post("/api/usage/cost", cost | {"kilo_user_id": user, "input_tokens": 5, "output_tokens": 5})

    def _event(self, rng: random.Random) -> dict[str, Any]:
        name = rng.choice(("user.blocked", "user.unblocked", "billing.credit_purchased", "stripe.charge.failed"))
        said: dict[str, Any] = {"kilo_user_id": rng.choice(USERS), "reason": "r"}
        if name.startswith("billing"):
            said["microdollars_acquired"] = rng.randrange(1, 9) * 1_000_000
        elif name.startswith("stripe"):
            said |= {"customer": f"cus_{rng.randrange(6)}", "amount": 500}
            said = said if rng.random() < 0.5 else said | {"kilo_user_id": None}
        late = {"occurred_at": NOW_MS - rng.randrange(10**7)} if rng.random() < 0.5 else {}
        return {"type": name, "data": said} | late


@pytest.fixture(scope="module")
def data(service: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a service that was told much at once, while lists, policy and persons changed; still running."""
    policy = tmp_path_factory.mktemp("policy") / "other.yaml"
    text = DEFAULT_POLICY.read_text().replace("\nfeatures:\n", f"\nfeatures:\n{FEATURE}", 1)
    policy.write_text(text.replace("\nrules:\n", f"\nrules:\n{RULE}", 1))
    with Traffic(service):
        for verb in (
            ("list", "add", "blocked", "user:u1", "--reason", "resold keys"),
            ("policy", "activate", str(policy), "--reason", "try it"),
            ("erase", "user:u2", "--reason", "asked", "--yes"),
            ("list", "add", "trusted", "user:u3", "--reason", "known"),
            ("list", "remove", "blocked", "user:u1", "--reason", "mended"),
        ):
            run_verb(service.data, *verb)
    service.kill()
    service.start()
    with Traffic(service):
        run_verb(service.data, "policy", "rollback", "--reason", "enough")
    return Path(service.data)


FEATURE = """\
  tasted: {entity: user, events: [request.classified], aggregate: distinct, value: event.requested_model, window: 2h}
"""
RULE = """\
  - {id: taster, title: Tastes, signal: s, when: tasted > 1, reason: "{tasted} models", weight: 0.2}
"""


def run_verb(data: Path, *verb: str, status: int = 0) -> str:
    """What the command line prints about a directory."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    command = [sys.executable, "-m", "abuse_service", *verb, "--data", str(data)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=clean)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_every_decision_is_the_same_again(data: Path) -> None:
    """Whatever went on beside a decision, it is made again from the log, value by value, also over a crash."""
    decisions = late = 0
    with open_past(Settings(data=data)) as past:
        policies = {version: past.policy(version) for version in past.book.versions}
        assert len(policies) == 2
        with past.world(policies.values()) as world:
            again = {version: Again(world, policy) for version, policy in policies.items()}
            for stored in tell(past.log):
                late += holds_decision(stored.event) and stored.position - 1 > position_seen(stored.event)
                for asked in world.take(stored):
                    _, found = again[asked.recorded.policy_version].decide(asked)
                    assert found == [], stored
                    decisions += 1
    assert decisions > 200
    assert late > 0, "no decision was overtaken by an event: the test shows nothing"


def position_seen(event: Event) -> int:
    """Which position the decision in an event had seen."""
    return int(json.loads(event.outcome or b"{}")["position"])


def test_verb_proves_a_decision(data: Path) -> None:
    """`explain --as-of-then` says that it is the same; an id that nobody was given is not found."""
    last = json.loads(run_verb(data, "explain", "1", "--as-of-then", "--json"))
    assert last["differences"] == []
    assert "the same again" in run_verb(data, "explain", "1", "--as-of-then")
    assert "no decision has the request id 77777777" in run_verb(data, "explain", "77777777", "--as-of-then", status=1)


def test_difference_names_the_value(data: Path, tmp_path: Path) -> None:
    """A record that says otherwise than the log is told, by the name of the value, with status 1."""
    run_verb(data, "backup", str(tmp_path / "data"))
    (tmp_path / "data.key").write_bytes((data.parent / "data.key").read_bytes())
    (tmp_path / "data.key").chmod(0o600)
    with sqlite3.connect(tmp_path / "data" / DATABASE_NAME) as connection:
        for position, body in connection.execute("SELECT position, body FROM block").fetchall():
            events = list(unpack_block(body))
            if any(event.request_id == 1 for event in events):
                forged = pack_events([forge(event) if event.request_id == 1 else event for event in events])
                connection.execute(
                    "UPDATE block SET body = ?, checksum = ? WHERE position = ?",
                    (forged, checksum(position, forged), position),
                )
    told = run_verb(tmp_path / "data", "explain", "1", "--as-of-then", status=1)
    assert "requests_1m=99" in told
    assert "requests_1m differ" in told
    with open_past(Settings(data=tmp_path / "data")) as past:
        answer = explain_as_then(past, 1)
    assert [(found.name, found.then) for found in answer.differences] == [("requests_1m", 99)]


def forge(event: Event) -> Event:
    """The event with another value in its decision."""
    outcome = json.loads(event.outcome or b"{}")
    outcome["values"]["requests_1m"] = 99
    return msgspec.structs.replace(event, outcome=json.dumps(outcome).encode())


def test_replay_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    """What a replay kept on disk is gone with it, and a directory without data is refused."""
    with open_past(Settings(data=data, hot_identities=100)) as past:
        with past.world([]):
            assert list(data.parent.glob(".replay-*"))
        with pytest.raises(NotFound):
            explain_as_then(past, 99_999_999)
        assert not list(data.parent.glob(".replay-*"))
    with pytest.raises(RefusedToStart, match="holds no data"), open_past(Settings(data=tmp_path)):
        pass
