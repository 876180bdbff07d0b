"""FastAPI and Starlette: facts, sign-ins, and routes that only judged requests reach."""

import asyncio
from typing import Annotated

import httpx
import pytest

from abuse_client import AsyncAbuseClient
from abuse_client.gateway import GuardSettings, Passage, RequestFacts, trust
from abuse_client.testing import AsyncRecordingClient, classification, run_fake_service

fastapi = pytest.importorskip("fastapi")

from abuse_client.integrations.fastapi import FastApiAbuse  # noqa: E402
from abuse_client.integrations.starlette import StarletteAbuse  # noqa: E402

BODY = {"model": "model-a", "messages": [{"role": "user", "content": "Hi"}]}
EDGE = {"x-forwarded-for": "192.0.2.7", "x-vercel-ja4-digest": "t13d", "user-agent": "agent/1", "x-user": "user-1"}
SETTINGS = GuardSettings(always_waits=True, free_model="free", quarantine_3_s=0.01)


def current_user(x_user: Annotated[str | None, fastapi.Header()] = None):
    return x_user


def application(client, settings=SETTINGS):
    """A product with a gateway and a sign-in."""
    abuse = FastApiAbuse(client, trust=trust("vercel", ["10.0.0.0/8"]), settings=settings)
    app = fastapi.FastAPI()
    abuse.install(app)

    @app.post("/v1/chat/completions")
    async def chat(body: dict, passage: Annotated[Passage, fastapi.Depends(abuse.guarding(current_user))]):
        passage.report_cost(message_id="msg-1", cost=5)
        return {"model": passage.model or body["model"]}

    @app.post("/sign-in")
    async def sign_in(request: fastapi.Request):
        abuse.report_sign_in(request, kilo_user_id="user-1", email="someone@example.com", auth_method="email")
        abuse.report_sign_up(request, kilo_user_id="user-1", email="someone@example.com")

    @app.get("/facts")
    async def facts(found: Annotated[RequestFacts, fastapi.Depends(abuse.facts)]):
        return found.to_payload()

    return app


@pytest.fixture
def client():
    made = AsyncRecordingClient()
    made.answer(classification("nothing"))
    return made


async def ask(app, path="/v1/chat/completions", peer="10.0.0.1", method="POST", **request):
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example.com") as http:
        return await http.request(method, path, **({"json": BODY, "headers": EDGE} | request))


async def test_judged_request_reaches_route(client):
    """Whoever passes is served; the question has who, where and what, and the cost names it."""
    assert (await ask(application(client))).json() == {"model": "model-a"}
    client.assert_asked(times=1, kilo_user_id="user-1", ip_address="192.0.2.7", ja4_digest="t13d", user_prompt="Hi")
    client.assert_cost_reported(times=1, request_id=7, kilo_user_id="user-1", ip_address="192.0.2.7")


@pytest.mark.parametrize(("action", "status"), [("block", 403), ("rate-limit", 429)])
async def test_refusal_has_the_gateways_shape(client, action, status):
    """A refusal is no HTTPException of the framework's shape but the gateway's own answer."""
    client.answer(classification(action, retry_after_seconds=12))
    answer = await ask(application(client))
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == {403: "abuse_blocked", 429: "rate_limit_exceeded"}[status]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("retry-after") == (None if status == 403 else "12")
    assert client.costs == []


async def test_route_learns_its_model(client):
    """A quarantined request is served by the model that the passage names."""
    client.answer(classification("quarantine-3"))
    assert (await ask(application(client))).json() == {"model": "free"}


async def test_stranger_cannot_forge_facts(client):
    """Headers that a stranger sends count for nothing, and nobody signed in is anonymous."""
    await ask(application(client), peer="203.0.113.5", headers={"x-forwarded-for": "192.0.2.7"})
    client.assert_asked(times=1, kilo_user_id="anon:203.0.113.5", ip_address="203.0.113.5")
    assert "ja4_digest" not in client.questions[0]
    found = await ask(application(client), "/facts", method="GET", peer="203.0.113.5")
    assert found.json() == {"ip_address": "203.0.113.5", "user_agent": "agent/1"}


async def test_sign_ins_are_reported(client):
    """A sign-in and a sign-up carry the facts of their request."""
    await ask(application(client), "/sign-in")
    facts = {"ip_address": "192.0.2.7", "ja4_digest": "t13d", "user_agent": "agent/1", "email": "someone@example.com"}
    client.assert_signed_in(times=1, kilo_user_id="user-1", auth_method="email", **facts)
    client.assert_signed_up(times=1, kilo_user_id="user-1", **facts)


async def test_real_client_through_fake_service():
    """With the real client over HTTP: the first request passes without waiting, the next is refused."""
    with run_fake_service() as service:
        service.answer(classification("block"))
        async with AsyncAbuseClient(service.url) as client:
            app = application(client, GuardSettings())
            assert (await ask(app)).status_code == 200
            while not service.questions:
                await asyncio.sleep(0.01)
            await client.flush(5)
            answers = [(await ask(app)).status_code for _ in range(3)]
            assert answers[-1] == 403
        service.assert_contract_kept()
        service.assert_cost_reported(request_id=7)


async def test_starlette_alone_serves(client):
    """Without FastAPI the same is one call in the endpoint."""
    from starlette import applications, responses, routing

    abuse = StarletteAbuse(client, settings=SETTINGS)

    async def chat(request):
        passage = await abuse.admit(request, kilo_user_id=request.headers.get("x-user"), feature="chat")
        body = await request.json()
        return responses.JSONResponse({"model": passage.model or body["model"]})

    app = applications.Starlette(routes=[routing.Route("/v1/chat/completions", chat, methods=["POST"])])
    abuse.install(app)
    assert (await ask(app)).json() == {"model": "model-a"}
    client.assert_asked(feature="chat", kilo_user_id="user-1", ip_address="10.0.0.1")
    client.answer(classification("block"))
    assert (await ask(app)).status_code == 403
