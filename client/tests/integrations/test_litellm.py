"""LiteLLM's real proxy and SDK: judged before the call, its cost reported after it, streams included."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from abuse_client.testing import AsyncRecordingClient, classification, run_fake_service

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch prices when it is imported
pytest.importorskip("litellm")

import litellm

import abuse_client
from abuse_client.gateway import GuardSettings, describe_llm_request
from abuse_client.integrations.litellm import AbuseCallback
from abuse_client.integrations.usage import Price

pytestmark = pytest.mark.filterwarnings("ignore")  # LiteLLM's own are many

MESSAGES = [{"role": "user", "content": "Hi there"}]
USAGE = {"prompt_tokens": 1_000, "completion_tokens": 50, "total_tokens": 1_050}
COST = 1_000 * 2 + 50 * 8
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "model-a",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": USAGE,
}


def chunk(content=None, usage=None, finish=None):
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "model-a"}
    choices = [{"index": 0, "delta": {"content": content}, "finish_reason": finish}] if usage is None else []
    return head | {"choices": choices, "usage": usage}


CHUNKS = [chunk("Hel"), chunk("lo"), chunk(finish="stop"), chunk(usage=USAGE)]

CONFIGURATION = """
model_list:
  - model_name: model-a
    litellm_params: &upstream
      model: openai/model-a
      api_base: {upstream}
      api_key: key
      input_cost_per_token: 0.000002
      output_cost_per_token: 0.000008
  - model_name: example/free
    litellm_params:
      model: openai/free
      api_base: {upstream}
      api_key: key
      input_cost_per_token: 0
      output_cost_per_token: 0
litellm_settings:
  callbacks: abuse.callback
general_settings:
  master_key: sk-of-a-test
"""

CALLBACK = """
from abuse_client import AsyncAbuseClient
from abuse_client.gateway import GuardSettings, trust
from abuse_client.integrations.litellm import AbuseCallback

callback = AbuseCallback(
    AsyncAbuseClient(),
    trust=trust("forwarded", ["127.0.0.0/8"]),
    settings=GuardSettings(always_waits=True, free_model="example/free", quarantine_3_s=0.01),
    user_of=lambda key, data: data.get("user"),
)
"""


@pytest.fixture(scope="module")
def service():
    with run_fake_service() as running:
        yield running
        running.assert_contract_kept()


@pytest.fixture(scope="module")
def proxy(service, upstream, tmp_path_factory):
    """A real LiteLLM proxy with the callback, in front of a provider on loopback."""
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "config.yaml").write_text(CONFIGURATION.format(upstream=upstream.url))
    (folder / "abuse.py").write_text(CALLBACK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "log").open("w")
    command = [str(Path(sys.executable).parent / "litellm"), "--config", "config.yaml"]
    running = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"],
        cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        env=os.environ | {"ABUSE_SERVICE_URL": service.url, "PYTHONPATH": str(Path(abuse_client.__file__).parents[1])},
    )  # fmt: skip
    headers = {"authorization": "Bearer sk-of-a-test", "x-forwarded-for": "192.0.2.7", "user-agent": "agent/1"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as http:
            wait_for(lambda: running.poll() is not None or is_up(http), within_s=120)
            assert running.poll() is None, (folder / "log").read_text()[-3_000:]
            yield http
    finally:
        running.terminate()
        running.wait(30)
        log.close()


def is_up(http):
    try:
        return http.get("/health/liveliness").status_code == 200
    except httpx.HTTPError:
        return False


def wait_for(is_true, within_s=20.0):
    until = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def ask(proxy, service, upstream):
    """Ask the proxy for a completion."""
    upstream.answers = {"/chat/completions": ANSWER}
    upstream.streams = {"/chat/completions": CHUNKS}
    upstream.requests.clear()
    service.clear()
    service.answer(classification("nothing", request_id=31))
    return lambda **fields: proxy.post(
        "/v1/chat/completions", json={"model": "model-a", "messages": MESSAGES, "user": "user-1"} | fields
    )


def test_proxy_reports_cost(ask, service):
    """A whole answer's cost is LiteLLM's own, under the request that it was judged by."""
    assert ask().json()["choices"][0]["message"]["content"] == "Hello"
    service.assert_asked(
        times=1, kilo_user_id="user-1", ip_address="192.0.2.7", user_prompt="Hi there", user_agent="agent/1"
    )
    wait_for(lambda: service.costs)
    service.assert_cost_reported(
        times=1, request_id=31, message_id="chatcmpl-1", cost=COST, input_tokens=1_000, output_tokens=50
    )


def test_proxy_reports_stream(ask, service):
    """A stream's cost is reported once, at its end."""
    answer = ask(stream=True, stream_options={"include_usage": True})
    assert "[DONE]" in answer.text
    wait_for(lambda: service.costs)
    service.assert_cost_reported(times=1, request_id=31, cost=COST, output_tokens=50)


@pytest.mark.parametrize(
    ("action", "status", "code"), [("block", 403, "abuse_blocked"), ("rate-limit", 429, "rate_limit_exceeded")]
)
def test_proxy_refuses(ask, service, upstream, action, status, code):
    """Who is blocked never reaches the provider, and is told so as LiteLLM tells errors."""
    service.answer(classification(action, retry_after_seconds=12))
    answer = ask()
    assert answer.status_code == status
    assert code in answer.text
    if action == "rate-limit":
        assert answer.headers["retry-after"] == "12"
    assert upstream.requests == []
    assert service.costs == []


def test_proxy_routes_to_free_model(ask, service, upstream):
    """A quarantined request is served by the free model."""
    service.answer(classification("quarantine-3", request_id=32))
    assert ask().status_code == 200
    assert [body["model"] for _, body in upstream.requests] == ["free"]
    wait_for(lambda: service.costs)
    service.assert_cost_reported(times=1, request_id=32, cost=0)


def test_proxy_reports_cut_stream(ask, proxy, service, upstream):
    """A reader who hangs up in the middle still costs money."""
    upstream.pause_s = 0.3
    body = {"model": "model-a", "messages": MESSAGES, "user": "user-1", "stream": True}
    with proxy.stream("POST", "/v1/chat/completions", json=body) as reading:
        next(reading.iter_lines())
    upstream.pause_s = 0.0
    wait_for(lambda: service.costs)
    assert service.assert_cost_reported(times=1, request_id=31)["cost"] > 0


@pytest.fixture
def callback(monkeypatch):
    client = AsyncRecordingClient()
    client.answer(classification("nothing", request_id=33))
    made = AbuseCallback(client, settings=GuardSettings(always_waits=True), costing=Price(input=2, output=8))
    made.client = client
    monkeypatch.setattr(litellm, "callbacks", [made])
    return made


async def test_sdk_calls_are_tied_to_passages(callback, provider):
    """A call of the asyncio SDK that is tied to a passage reports its cost, priced by us where LiteLLM cannot."""
    provider.answers = {"/chat/completions": ANSWER}
    provider.streams = {"/chat/completions": CHUNKS}
    # In one loop: LiteLLM's worker, which calls back, stays with the first that it saw.
    for options in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
        callback.client.clear()
        body = {"model": "model-a", "messages": MESSAGES}
        passage = await callback.guard.admit(describe_llm_request(body, kilo_user_id="user-1"))
        upstream = {"model": "openai/model-a", "messages": MESSAGES, "api_base": provider.url, "api_key": "key"}
        answer = await litellm.acompletion(**upstream, **options, **callback.tie(passage))
        if options:
            said = [piece.choices[0].delta.content or "" async for piece in answer if piece.choices]
            assert "".join(said) == "Hello"
        for _ in range(100):
            await asyncio.sleep(0.05)
            if callback.client.costs:
                break
        callback.client.assert_cost_reported(times=1, request_id=33, cost=COST, output_tokens=50)


def test_failed_call_has_no_cost(callback):
    """What the provider did not serve is forgotten: its cost is unknown, which is not zero."""
    passage = asyncio.run(callback.guard.admit({"kilo_user_id": "user-1"}))
    kwargs = {"litellm_params": callback.tie(passage), "response_cost": 0.5}
    callback.log_failure_event(kwargs, None, None, None)
    callback.log_success_event(kwargs, ANSWER, None, None)
    callback.client.assert_nothing_reported()
