"""The middleware in front of an application: what it refuses, changes and leaves alone."""

import json
import logging

import httpx
import pytest

from abuse_client.gateway import AsyncGuard, GuardMiddleware, GuardSettings, passage_of, trust
from abuse_client.testing import AsyncRecordingClient, classification

CHAT = "/v1/chat/completions"
BODY = {"model": "Model-A", "messages": [{"role": "user", "content": "Hi"}]}
SETTINGS = GuardSettings(always_waits=True, quarantine_3_s=0.01, free_model="example/free")


class Application:
    """What stands behind the middleware: it answers with what it got, and reports a cost."""

    def __init__(self):
        self.bodies = []
        self.scopes = []

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        self.scopes.append(scope)
        passage = passage_of(scope)
        if passage is not None:
            passage.report_cost(message_id="msg-1", cost=10)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Desk:
    def __init__(self, **options):
        self.client = AsyncRecordingClient()
        self.client.answer(classification("nothing"))
        self.application = Application()
        self.options = {"identify": lambda scope: "user-1", "guard": AsyncGuard(self.client, SETTINGS)} | options

    async def post(self, path=CHAT, method="POST", **request):
        middleware = GuardMiddleware(self.application, **self.options)
        transport = httpx.ASGITransport(middleware, client=("10.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example.com") as http:
            return await http.request(method, path, **({"json": BODY} | request))


async def test_block_never_reaches_application():
    """A blocked identity gets 403 abuse_blocked and the application sees nothing."""
    desk = Desk()
    desk.client.answer(classification("block"))
    answer = await desk.post()
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "abuse_blocked")
    assert answer.headers["content-type"] == "application/json"
    assert desk.application.bodies == []


async def test_rate_limit_says_when():
    """A rate limit is 429 with the seconds that the service names."""
    desk = Desk()
    desk.client.answer(classification("rate-limit", retry_after_seconds=9))
    answer = await desk.post()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")


async def test_honest_request_passes_unchanged():
    """Everybody else reaches the application with the body byte for byte, and the cost names the request."""
    desk = Desk()
    raw = b'{"model":"Model-A",  "messages":[{"role":"user","content":"\\ud83d"}]}'
    answer = await desk.post(content=raw, json=None)
    assert (answer.status_code, answer.content) == (200, raw)
    desk.client.assert_asked(times=1, kilo_user_id="user-1", requested_model="model-a", ip_address="10.0.0.1")
    desk.client.assert_cost_reported(times=1, request_id=7, kilo_user_id="user-1")


async def test_model_is_put_into_body():
    """A quarantined request is rewritten to the free model, its length with it; the cost keeps what was asked for."""
    desk = Desk()
    desk.client.answer(classification("quarantine-3"))
    answer = await desk.post()
    assert answer.json() == BODY | {"model": "example/free"}
    headers = dict(desk.application.scopes[0]["headers"])
    assert int(headers[b"content-length"]) == len(answer.content)


async def test_own_key_keeps_model():
    """A question that says that the key is the user's own leaves the model as it is."""
    desk = Desk(describe=lambda request, user: {"kilo_user_id": user, "is_user_byok": True})
    desk.client.answer(classification("quarantine-3"))
    assert (await desk.post()).json() == BODY


@pytest.mark.parametrize(
    "request_", [{"path": "/v1/models"}, {"method": "GET"}, {"path": "/v1/chat/completions/other"}]
)
async def test_other_requests_are_left_alone(request_):
    """What is no LLM request is not asked about."""
    desk = Desk()
    desk.client.answer(classification("block"))
    assert (await desk.post(**request_)).status_code == 200
    assert desk.client.questions == []


async def test_prefix_of_proxy_is_no_way_around():
    """An application that a proxy serves below a prefix is judged by the path below it."""
    desk = Desk()
    desk.client.answer(classification("block"))
    middleware = GuardMiddleware(desk.application, **desk.options)
    transport = httpx.ASGITransport(middleware, root_path="/api")
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example.com") as http:
        assert (await http.post("/api" + CHAT, json=BODY)).status_code == 403


async def test_other_scopes_are_left_alone():
    """Lifespans and web sockets go through untouched."""
    seen = []

    async def application(scope, receive, send):
        seen.append(scope["type"])

    middleware = GuardMiddleware(application, guard=AsyncGuard(AsyncRecordingClient()), identify=lambda scope: None)
    for kind in ("lifespan", "websocket"):
        await middleware({"type": kind}, None, None)
    assert seen == ["lifespan", "websocket"]


async def test_identify_may_be_coroutine():
    """Who asks may be looked up; nobody is the anonymous one at the address that a trusted proxy names."""

    async def look_up(scope):
        return {b"yes": "user-9"}.get(dict(scope["headers"]).get(b"x-session"))

    desk = Desk(identify=look_up, trust=trust("forwarded", ["10.0.0.0/8"]))
    await desk.post(headers={"x-session": "yes"})
    desk.client.assert_asked(kilo_user_id="user-9")
    headers = httpx.Headers([("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7")])
    await desk.post(headers=headers)
    desk.client.assert_asked(kilo_user_id="anon:192.0.2.7", ip_address="6.6.6.6, 192.0.2.7")


async def test_mistake_of_product_serves(caplog):
    """When the product's own functions fail the request is served, and the log has the mistake."""

    def mistaken(scope):
        raise KeyError("session")

    caplog.set_level(logging.ERROR, "abuse_client.gateway")
    assert (await Desk(identify=mistaken).post()).status_code == 200
    assert "KeyError" in caplog.text


async def test_long_body_passes_whole():
    """A body beyond the bound reaches the application whole; it is asked about without what it says."""
    desk = Desk(max_body_bytes=1_000)
    raw = json.dumps(BODY | {"padding": "x" * 5_000}).encode()

    async def chunks():
        for start in range(0, len(raw), 300):
            yield raw[start : start + 300]

    answer = await desk.post(content=chunks(), json=None)
    assert answer.content == raw
    assert "user_prompt" not in desk.client.assert_asked(times=1, kilo_user_id="user-1")


@pytest.mark.parametrize("raw", [b"", b"[]", b"not json", b'{"messages": []}'])
async def test_odd_bodies_pass(raw):
    """A body that is no LLM request is passed on as it came, even where a model would be put into it."""
    desk = Desk()
    desk.client.answer(classification("quarantine-3"))
    assert (await desk.post(content=raw, json=None)).content == raw
