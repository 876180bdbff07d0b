"""What becomes of an answer when the provider, the reader or the request misbehaves."""

import json
import time
from typing import Any

import anthropic
import httpx
import openai
import pytest

from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing import Town

FREE = "open/swift-1"
PAID = "acme/standard-2"
SAYS: Any = [{"role": "user", "content": "Say something."}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": SAYS},
    "/v1/responses": {"input": "Say something."},
    "/v1/messages": {"messages": SAYS, "max_tokens": 64},
    "/v1/fim/completions": {"prompt": "def f("},
}
each_api = pytest.mark.parametrize("path", list(BODIES))


def ask(user: Person, path: str, **more: Any) -> httpx.Response:
    return user.send("POST", path, json={"model": PAID} | BODIES[path] | more)


def error_of(path: str, response: httpx.Response) -> dict[str, Any]:
    """The error, of whatever API it is."""
    found: dict[str, Any] = response.json()
    if path == "/v1/messages":
        assert found["type"] == "error"
    return found if found.get("object") == "error" else found["error"]


@pytest.fixture
def buyer(town: Town, user: Person) -> Person:
    buy(user, 100)
    town.forget()
    return user


def balance(user: Person) -> int:
    found: int = user.do("GET", "/account").json()["balance_microdollars"]
    return found


@each_api
@pytest.mark.parametrize(("fault", "status"), [("rate_limit", 429), ("server_error", 500)])
def test_refusal_of_the_provider_passes(town: Town, buyer: Person, path: str, fault: str, status: int) -> None:
    """What the provider refuses is refused with its status, its words and its Retry-After, and costs nothing."""
    response = ask(buyer, path, fault=fault)
    assert response.status_code == status
    assert error_of(path, response)["message"] == "as asked"
    assert response.headers.get("retry-after") == ("7" if status == 429 else None)
    assert balance(buyer) == 1_000_000
    assert town.arrived("/api/usage/cost") == []


@each_api
@pytest.mark.parametrize("fault", ["garbage", "key_refused"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_outage_of_the_provider_is_ours(town: Town, buyer: Person, path: str, fault: str, is_streamed: bool) -> None:
    """An answer that is none, or a key of ours that is refused, is a 502 in the API's own shape, and costs nothing."""
    response = ask(buyer, path, fault=fault, stream=is_streamed)
    assert response.status_code == 502
    assert error_of(path, response)["message"].startswith("the provider")
    assert balance(buyer) == 1_000_000
    assert town.arrived("/api/usage/cost") == []


def test_refusal_of_own_key_passes(user: Person) -> None:
    """Who brings his own key is told when the provider refuses it."""
    body = {"model": PAID, "messages": SAYS, "fault": "key_refused"}
    response = user.send("POST", "/v1/chat/completions", json=body, headers={"x-provider-key": "sk-own"})
    assert response.status_code == 401


@each_api
def test_cut_answer_is_an_outage(town: Town, buyer: Person, path: str) -> None:
    """A whole answer that breaks off is a 502 and costs nothing."""
    assert ask(buyer, path, fault="cut").status_code == 502
    assert balance(buyer) == 1_000_000


@each_api
def test_cut_stream_costs_what_came(town: Town, buyer: Person, path: str) -> None:
    """A stream that breaks off ends with an error in the API's shape, and what came of it is paid."""
    response = ask(buyer, path, fault="cut", stream=True)
    assert response.status_code == 200
    last = response.text.strip().split("\n\n")[-1]
    told = json.loads(last.partition("data: ")[2])
    assert "upstream_cut" in json.dumps(told)
    assert last.startswith("event: error") is (path in ("/v1/messages", "/v1/responses"))
    [cost] = town.arrived("/api/usage/cost")
    assert 0 < cost["cost"] < 2_000
    assert balance(buyer) == 1_000_000 - cost["cost"]


def test_openai_client_raises_on_cut_streams(town: Town, user: Person) -> None:
    """The client raises when the provider breaks off, as for a failure of the provider's own."""
    cut = {"fault": "cut"}
    with openai.OpenAI(base_url=f"{town.running.url}/v1", api_key=user.session_token, max_retries=0) as gpt:
        for stream in (
            gpt.chat.completions.create(model=FREE, messages=SAYS, stream=True, extra_body=cut),
            gpt.responses.create(model=FREE, input="x", stream=True, extra_body=cut),
        ):
            with pytest.raises(openai.APIError, match="broke off"):
                list(stream)


def test_anthropic_client_raises_on_cut_streams(town: Town, user: Person) -> None:
    """The client raises when the provider breaks off, as for a failure of the provider's own."""
    with anthropic.Anthropic(base_url=town.running.url, api_key=user.session_token, max_retries=0) as claude:
        stream = claude.messages.create(
            model=FREE, messages=SAYS, max_tokens=99, stream=True, extra_body={"fault": "cut"}
        )
        with pytest.raises(anthropic.APIStatusError, match="broke off"):
            list(stream)


@each_api
def test_hanging_up_early_still_costs(slow_town: Town, path: str) -> None:
    """A reader who leaves in the middle of a stream pays what came until then, and the provider is hung up on."""
    slow_town.forget()
    user = slow_town.resident()
    limit = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
    body = {"model": FREE, "stream": True} | BODIES[path] | {limit: 20_000}
    with slow_town.http.stream("POST", path, json=body, headers=user.headers()) as response:
        # A sentence that the second piece holds.
        next(line for line in response.iter_lines() if "machine" in line)
    deadline = time.monotonic() + 10
    while not slow_town.arrived("/api/usage/cost") and time.monotonic() < deadline:
        time.sleep(0.05)
    [cost] = slow_town.arrived("/api/usage/cost")
    assert 4 <= cost["output_tokens"] < 2_000
    assert cost["input_tokens"] > 0


def test_stream_comes_as_it_is_made(slow_town: Town) -> None:
    """Pieces of a stream reach the reader when they are made, not when the answer is whole."""
    body = {"model": FREE, "messages": SAYS, "stream": True, "max_tokens": 80}
    with slow_town.http.stream("POST", "/v1/chat/completions", json=body) as response:
        came = [time.monotonic() for _ in response.iter_raw()]
    assert came[-1] - came[0] > 0.5


@each_api
@pytest.mark.parametrize("raw", [b"nonsense", b"[]", b"{}", b'{"model": "open/swift-1"}', b"[" * 100_000, b"\xff"])
def test_malformed_is_the_callers_fault(user: Person, path: str, raw: bytes) -> None:
    """A body that is no request is a 400 in the API's own shape."""
    response = user.send("POST", path, content=raw)
    assert response.status_code == 400
    assert error_of(path, response)["message"].startswith("found ")


def test_endless_body_is_refused(user: Person) -> None:
    """A body of more than 32 MiB is a 413."""
    assert user.send("POST", "/v1/messages", content=bytes(33 * 2**20)).status_code == 413


def test_served_model_is_told(town: Town, user: Person) -> None:
    """A header names the model that answers, whatever was asked for."""
    assert user.chat(model="Open/Swift-1").headers["x-served-model"] == FREE
