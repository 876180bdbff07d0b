"""The gateway: classified, enforced, served, accounted for."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.running import run_cloud
from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing import Town, classification_of, run_sink

GRAND_FREE = "acme/grand-2:free"


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_request_is_classified_and_costed(town: Town, user: Person) -> None:
    """Each request is classified with what is known of it, and its cost is reported under the same request id."""
    town.sink.classification = classification_of(request_id=4711)
    answer = user.chat(model="Open/Swift-1", prompt="two words", max_tokens=50).json()
    [asked], [cost] = town.arrived("/api/classify"), town.arrived("/api/usage/cost")
    for field, value in {
        "kilo_user_id": user.kilo_user_id,
        "ip_address": user.ip_address,
        "ja4_digest": user.ja4_digest,
        "user_agent": user.user_agent,
        "provider": "open",
        "model": "open/swift-1",
        "requested_model": "open/swift-1",
        "user_prompt": "two words",
        "max_tokens": 50,
    }.items():
        assert asked[field] == value
    told = {name: value for name, value in cost.items() if name in EXPECTED_COST}
    assert told == EXPECTED_COST | {"message_id": answer["id"], "kilo_user_id": user.kilo_user_id}


EXPECTED_COST = {
    "request_id": 4711,
    "message_id": "",
    "kilo_user_id": "",
    "cost": 40,  # 2 tokens at 0.2 and 50 at 0.8 USD a million
    "input_tokens": 2,
    "output_tokens": 50,
    "requested_model": "open/swift-1",
}


def test_stream_is_costed_at_its_end(town: Town, user: Person) -> None:
    """A stream reports its usage too, and the reader who did not ask for a usage chunk gets none."""
    chunks = chunks_of(user.chat(stream=True, max_tokens=120))
    assert all(chunk["choices"] for chunk in chunks)
    [cost] = town.arrived("/api/usage/cost")
    assert (cost["output_tokens"], cost["message_id"]) == (120, chunks[0]["id"])
    assert town.arrived("/api/classify")[0]["streamed"] is True


def test_asked_usage_chunk_is_passed(user: Person) -> None:
    """The reader who asks for the usage of a stream gets it."""
    chunks = chunks_of(user.chat(stream=True, max_tokens=9, stream_options={"include_usage": True}))
    assert chunks[-1]["usage"]["completion_tokens"] == 9


@pytest.mark.parametrize("request_id", [0])
def test_no_request_id_no_cost(town: Town, user: Person, request_id: int) -> None:
    """A classification that failed inside the service has no cost report."""
    town.sink.classification = classification_of(request_id=request_id)
    assert user.chat().status_code == 200
    assert town.arrived("/api/usage/cost") == []


def test_free_model_reports_true_cost(town: Town, user: Person) -> None:
    """A free answer costs its reader nothing and is reported at what the provider takes."""
    user.chat(model=GRAND_FREE, max_tokens=6_000, prompt="")
    assert [cost["cost"] for cost in town.arrived("/api/usage/cost")] == [450_000]
    assert user.do("GET", "/account").json()["balance_microdollars"] == 0


def test_paid_model_needs_credits(town: Town, user: Person) -> None:
    """A paid model asks for credits first and takes its cost from them after."""
    assert user.chat(model="acme/grand-2").status_code == 402
    buy(user, 100)
    assert user.chat(model="acme/grand-2", prompt="", max_tokens=100).status_code == 200
    assert user.do("GET", "/account").json()["balance_microdollars"] == 1_000_000 - 7_500


@pytest.mark.parametrize(
    ("classification", "status", "code"),
    [
        (classification_of(verdict="HARD_BLOCK", action="block"), 403, "abuse_blocked"),
        (classification_of(verdict="SOFT_BLOCK", action="rate-limit"), 429, "rate_limit_exceeded"),
        (classification_of(verdict="CHALLENGE", action="log"), 403, "challenge_required"),
    ],
)
def test_refusals_reach_the_caller(
    town: Town, user: Person, classification: dict[str, Any], status: int, code: str
) -> None:
    """What the service refuses is refused, and the provider is never asked."""
    town.sink.classification = classification
    response = user.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert town.arrived("/api/usage/cost") == []


def test_rate_limit_says_when(town: Town, user: Person) -> None:
    """A rate limit tells after how many seconds to try again."""
    limit = classification_of(verdict="SOFT_BLOCK", action="rate-limit", retry_after_seconds=42)
    town.sink.classification = limit
    assert user.chat().headers["retry-after"] == "42"


@pytest.mark.parametrize(
    ("action", "model"), [("quarantine-1", "grand-2"), ("quarantine-2", "grand-2"), ("quarantine-3", "swift-1")]
)
def test_quarantine_slows_and_downgrades(town: Town, user: Person, action: str, model: str) -> None:
    """A quarantined request waits, and at the third level another model answers."""
    town.sink.classification = classification_of(verdict="SOFT_BLOCK", action=action)
    assert user.chat(model=GRAND_FREE).json()["model"] == model


def test_own_key_keeps_its_model(town: Town, user: Person) -> None:
    """Who brings his own key is slowed down but keeps the model that he pays for."""
    town.sink.classification = classification_of(verdict="SOFT_BLOCK", action="quarantine-3")
    answer = user.chat(model="acme/grand-2", headers={"x-provider-key": "sk-own"})
    assert answer.json()["model"] == "grand-2"
    assert town.arrived("/api/classify")[0]["is_user_byok"] is True


def test_override_routes_silently(town: Town, user: Person) -> None:
    """A soft block with another model is served by that model."""
    override = classification_of(verdict="SOFT_BLOCK", action="quarantine-1", model_override="acme/standard-2")
    town.sink.classification = override
    assert user.chat(model=GRAND_FREE).json()["model"] == "standard-2"


def test_blocked_user_is_classified_too(town: Town, user: Person) -> None:
    """The cloud's own block holds whatever the service says, and the attempt is told."""
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "spam"})
    assert user.chat().json()["error"]["code"] == "account_blocked"
    assert len(town.arrived("/api/classify")) == 1


def test_anonymous_caller_is_his_address(town: Town, stranger: Person) -> None:
    """Without an account the free models answer, and the address stands for the caller."""
    stranger.ip_address = "198.51.100.9, 203.0.113.4"
    assert stranger.chat().status_code == 200
    assert stranger.chat(model="acme/grand-2").status_code == 401
    assert town.arrived("/api/classify")[0]["kilo_user_id"] == "anon:203.0.113.4"
    assert town.arrived("/api/classify")[0]["ip_address"] == "198.51.100.9, 203.0.113.4"


def test_organization_prompts_stay_here(town: Town, user: Person) -> None:
    """The prompts of an organization's user are not sent unless the operator says so."""
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    user.chat(prompt="our secret plan", headers={"x-organization-id": found})
    [asked] = town.arrived("/api/classify")
    assert asked["organization_id"] == found
    assert asked.get("user_prompt") is None


def test_organization_pays_for_itself(user: Person, another: Person) -> None:
    """Who asks for an organization spends its credits and not his own, and only its members may."""
    buy(user, 100)
    works = {"x-organization-id": user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]}
    assert user.chat(model="acme/grand-2", headers=works).status_code == 402
    assert user.chat(model="acme/grand-2").status_code == 200
    assert another.chat(headers=works).status_code == 403


def test_half_an_emoji_is_served(town: Town, user: Person) -> None:
    """Half a surrogate pair in a prompt, as JavaScript sends it, is answered like any other text."""
    body = b'{"model": "open/swift-1", "messages": [{"role": "user", "content": "cut \\ud83d"}]}'
    assert user.send("POST", "/v1/chat/completions", content=body).status_code == 200
    assert town.arrived("/api/classify")[0]["user_prompt"].startswith("cut ")


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}", b'{"messages": []}', b'{"messages": [], "model": "x"}'])
def test_malformed_requests_are_refused(user: Person, body: bytes) -> None:
    """A body that is no chat request is the caller's fault, told as such."""
    assert user.send("POST", "/v1/chat/completions", content=body).status_code in {400, 404}


@pytest.mark.parametrize("status", [401, 500, 503])
def test_failing_service_opens_the_gate(town: Town, user: Person, status: int) -> None:
    """An abuse service that fails lets every request pass, and no cost is reported into the void."""
    town.sink.status = status
    assert user.chat().status_code == 200
    town.sink.status = 200
    assert town.arrived("/api/usage/cost") == []


def test_slow_service_is_not_waited_for(tmp_path: Path) -> None:
    """After the deadline the request goes on without an answer."""
    with run_sink() as sink:
        sink.delay_seconds = 1.5
        with (
            run_cloud(tmp_path, abuse_url=sink.url, classify_deadline_seconds=0.2) as running,
            httpx.Client(base_url=running.url) as http,
        ):
            started = time.monotonic()
            assert Person(http=http, email="").chat().status_code == 200
            assert time.monotonic() - started < 1.2


def test_waits_for_whom_an_action_is_in_force(tmp_path: Path) -> None:
    """As it ships, a request waits for no answer until one names an action; its cost follows that answer."""
    with run_sink() as sink:
        sink.classification = classification_of(verdict="HARD_BLOCK", action="block", request_id=4711)
        sink.delay_seconds = 0.5
        with (
            run_cloud(tmp_path, abuse_url=sink.url, waits_for_classification=False) as running,
            httpx.Client(base_url=running.url, timeout=30) as http,
        ):
            person = Person(http=http, email="")
            answer = person.chat()
            assert answer.status_code == 200
            deadline = time.monotonic() + 10
            while not sink.bodies("/api/usage/cost") and time.monotonic() < deadline:
                time.sleep(0.05)
            [cost] = sink.bodies("/api/usage/cost")
            assert (cost["request_id"], cost["message_id"]) == (4711, answer.json()["id"])
            assert person.chat().status_code == 403


@pytest.mark.parametrize("abuse_url", [None, "http://127.0.0.1:9"])
def test_absent_service_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abuse_url: str | None) -> None:
    """Without an abuse service, or with one that is down, people sign up and chat."""
    monkeypatch.delenv("ABUSE_SERVICE_URL", raising=False)
    with run_cloud(tmp_path, abuse_url=abuse_url) as running, httpx.Client(base_url=running.url) as http:
        assert Person(http=http, email="ada@example.com").come_in().chat().status_code == 200


def test_dead_provider_is_told(tmp_path: Path) -> None:
    """A provider that does not answer is a 502 in the shape of all errors."""
    with (
        run_cloud(tmp_path, upstream_url="http://127.0.0.1:9/v1") as running,
        httpx.Client(base_url=running.url) as http,
    ):
        answer = Person(http=http, email="").chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
