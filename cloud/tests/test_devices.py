"""The device check: asked over HTTP, told from the second sign-in on, never in the way."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from cloud.accounts.device_check import StytchDeviceCheck
from cloud.running import bound_socket, run_cloud
from cloud.story.person import Person
from cloud.testing import Sink, Town, run_sink


def told(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if "stytch" in name and value is not None}


@pytest.fixture
def broken(town: Town) -> Iterator[Any]:
    """Makes the check answer otherwise until the test ends."""
    yield lambda answer: setattr(town.running.device_checker, "broken_answer", answer)
    town.running.device_checker.broken_answer = None


def test_device_is_told_from_second_signin(town: Town) -> None:
    """A sign-up knows of no check; the sign-in after it tells the verdict, the kind of device and its fingerprint."""
    person = town.newcomer(fingerprint="hw-second").come_in().come_in()
    signup, signin = town.arrived("/api/auth-event")
    assert (signup["event_type"], told(signup)) == ("signup", {})
    session_id = signin["stytch_session_id"]
    assert session_id
    assert told(signin) == {
        "stytch_session_id": session_id,
        "has_validation_stytch": True,
        "stytch_verdict_action": "ALLOW",
        "stytch_is_authentic_device": True,
        "stytch_device_type": "DESKTOP",
        "stytch_hardware_fingerprint": "hw-second",
    }
    assert person.kilo_user_id == signin["kilo_user_id"]


def test_check_after_signup_is_told_next(town: Town) -> None:
    """A newcomer whose page had his device looked at is told with it at his next sign-in, wherever that is."""
    person = town.newcomer(fingerprint="hw-next").come_in()
    form = {"telemetry_id": person.show_device()}
    assert person.do("POST", "/account/device-check", data=form).json() == {"checked": True}
    person.fingerprint = None
    person.come_in()
    assert told(town.arrived("/api/auth-event")[-1])["stytch_hardware_fingerprint"] == "hw-next"


def test_latest_check_counts(town: Town) -> None:
    """Of several checks the last one is told."""
    person = town.newcomer(fingerprint="hw-old").come_in().come_in()
    person.fingerprint, person.is_automated = "hw-new", True
    person.come_in()
    last = told(town.arrived("/api/auth-event")[-1])
    assert (last["stytch_hardware_fingerprint"], last["stytch_verdict_action"]) == ("hw-new", "BLOCK")
    assert (last["stytch_is_authentic_device"], last["has_validation_stytch"]) == (False, False)


def test_unchecked_device_says_nothing(town: Town, stranger: Person) -> None:
    """A device that nobody looked at is absent, and never "not authentic"."""
    stranger.come_in().come_in()
    assert [told(body) for body in town.arrived("/api/auth-event")] == [{}, {}]


def test_banned_device_blocks_automatically(town: Town, user: Person) -> None:
    """A ban by a rule names no person, its reason says that a rule did it, and the attempt is told with the block."""
    user.fingerprint = "hw-farm"
    for _ in range(town.running.device_checker.showings_an_hour):
        user.show_device()
    assert user.try_to_come_in().status_code == 403
    [event] = town.events("user.blocked")
    assert event["data"].get("actor_email") is None
    assert event["data"]["reason"] == "automatic: device check said BLOCK because of smart rate limiting"
    [body] = town.arrived("/api/auth-event")
    assert (body["is_blocked"], body["stytch_verdict_action"]) == (True, "BLOCK")


def test_other_block_verdict_bans_nobody(town: Town, user: Person) -> None:
    """Only smart rate limiting bans; a browser that a program drives is told, and comes in."""
    user.fingerprint, user.is_automated = "hw-robot", True
    user.come_in()
    assert town.events("user.blocked") == []


GARBAGE: list[Response] = [
    PlainTextResponse("<html>"),
    JSONResponse([]),
    JSONResponse({"verdict": {}, "fingerprints": {}}),
    JSONResponse({"verdict": {"action": 5}, "fingerprints": {}}),
    JSONResponse({"verdict": None, "fingerprints": None}),
    JSONResponse({"error_type": "internal_server_error"}, 500),
    JSONResponse({"error_type": "telemetry_id_not_found"}, 404),
]


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_failed_lookup_is_omitted(town: Town, user: Person, broken: Any, answer: Response) -> None:
    """A look-up that fails or is not understood leaves the verdict out and lets the user in."""
    broken(answer)
    user.fingerprint = "hw-unlucky"
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert told(body) == {}


def test_failed_lookup_keeps_what_is_known(town: Town, broken: Any) -> None:
    """What an earlier check found is told again when the newest one fails."""
    person = town.newcomer(fingerprint="hw-known").come_in().come_in()
    broken(JSONResponse({}, 503))
    person.come_in()
    assert told(town.arrived("/api/auth-event")[-1])["stytch_hardware_fingerprint"] == "hw-known"


def test_slow_lookup_is_left(town: Town, user: Person) -> None:
    """A check that does not answer is waited for as long as the settings say, and no longer."""
    with bound_socket() as silent:
        silent.listen()
        check = StytchDeviceCheck(f"http://127.0.0.1:{silent.getsockname()[1]}", "p", "s", timeout_seconds=0.2)
        before = time.monotonic()
        assert check.look_up("telemetry") is None
        check.close()
    assert time.monotonic() - before < 5


def test_cloud_needs_no_check(tmp_path: Path) -> None:
    """Without an address in the settings nothing is checked and everything works."""
    with (
        run_sink() as sink,
        run_cloud(tmp_path, abuse_url=sink.url, device_check_url=None) as running,
        httpx.Client(base_url=running.url) as http,
    ):
        Person(http=http, email="ada@example.com", fingerprint="hw-1").come_in().come_in()
        assert running.cloud.reporting.flush(10)
        assert [told(body) for body in bodies(sink)] == [{}, {}]


def test_pages_may_show_their_browsers(town: Town) -> None:
    """A page learns where the check's script is; the check takes browsers of any page with its token."""
    check = town.admin.do("GET", "/auth/options").json()["device_check"]
    script = town.http.get(check["script_url"])
    assert "function GetTelemetryID" in script.text
    asked = {"origin": town.running.url, "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "content-type"
    assert town.http.options(check["submit_url"], headers=asked).headers["access-control-allow-origin"] == "*"
    stranger = {"public_token": "made-up", "hardware_fingerprint": "hw-1"}
    assert town.http.post(check["submit_url"], json=stranger).status_code == 401


def bodies(sink: Sink) -> list[dict[str, Any]]:
    return sink.bodies("/api/auth-event")
