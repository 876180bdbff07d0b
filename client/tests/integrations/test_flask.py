"""Flask: facts, sign-ins, and views that only judged requests reach."""

import pytest

from abuse_client.gateway import GuardSettings, trust
from abuse_client.testing import RecordingClient, classification

flask = pytest.importorskip("flask")

from werkzeug.middleware.proxy_fix import ProxyFix  # noqa: E402

from abuse_client.integrations.flask import FlaskAbuse  # noqa: E402

BODY = {"model": "model-a", "messages": [{"role": "user", "content": "Hi"}]}
EDGE = {"cf-connecting-ip": "192.0.2.7", "cf-ja4": "t13d", "user-agent": "agent/1", "x-user": "user-1"}
SETTINGS = GuardSettings(always_waits=True, free_model="free", quarantine_3_s=0.01)


@pytest.fixture
def client():
    made = RecordingClient()
    made.answer(classification("nothing"))
    return made


@pytest.fixture
def app(client):
    """A product with a gateway, streamed and not, and a sign-in."""
    made = flask.Flask("product")
    abuse = FlaskAbuse(
        client,
        user_id=lambda: flask.request.headers.get("x-user"),
        trust=trust("cloudflare", ["10.0.0.0/8"]),
        settings=SETTINGS,
    )

    @made.post("/chat/<kind>")
    @abuse.guarded
    def chat(kind):
        passage = abuse.passage
        model = passage.model or flask.request.get_json()["model"]
        if kind == "whole":
            passage.report_cost(message_id="msg-1", cost=5)
            return {"model": model}

        def stream():
            try:
                for _ in range(3):
                    yield model
            finally:
                passage.report_cost(message_id="msg-2", cost=6)

        return flask.Response(stream())

    @made.post("/sign-in")
    def sign_in():
        abuse.report_sign_in(kilo_user_id="user-1", email="someone@example.com")
        abuse.report_sign_up(kilo_user_id="user-1", email="someone@example.com", auth_method="email")
        return "", 204

    return made


def ask(app, path="/chat/whole", peer="10.0.0.1", headers=EDGE):
    with app.test_client() as browser:
        return browser.post(path, json=BODY, headers=headers, environ_base={"REMOTE_ADDR": peer})


def test_judged_request_reaches_view(app, client):
    """Whoever passes is served; the question has who, where and what, and the cost names it."""
    assert ask(app).get_json() == {"model": "model-a"}
    client.assert_asked(times=1, kilo_user_id="user-1", ip_address="192.0.2.7", ja4_digest="t13d", user_prompt="Hi")
    client.assert_cost_reported(times=1, request_id=7, kilo_user_id="user-1")


@pytest.mark.parametrize(("action", "status"), [("block", 403), ("rate-limit", 429)])
def test_refusal_never_reaches_view(app, client, action, status):
    """A refusal is answered with its body and Retry-After."""
    client.answer(classification(action, retry_after_seconds=12))
    answer = ask(app)
    assert answer.status_code == status
    assert answer.get_json()["error"]["code"] == {403: "abuse_blocked", 429: "rate_limit_exceeded"}[status]
    assert answer.headers.get("retry-after") == (None if status == 403 else "12")
    assert client.costs == []


def test_stream_reports_its_cost(app, client):
    """A streamed answer on the free model still finds its passage when the request is over."""
    client.answer(classification("quarantine-3"))
    assert ask(app, "/chat/streamed").get_data() == b"freefreefree"
    client.assert_cost_reported(times=1, message_id="msg-2", request_id=7)


def test_stranger_cannot_forge_facts(app, client):
    """Headers that a stranger sends count for nothing, and nobody signed in is anonymous."""
    ask(app, peer="203.0.113.5", headers={"cf-connecting-ip": "192.0.2.7", "cf-ja4": "t13d"})
    client.assert_asked(times=1, kilo_user_id="anon:203.0.113.5", ip_address="203.0.113.5")
    assert "ja4_digest" not in client.questions[0]


def test_proxy_fix_changes_nobody(app, client):
    """Behind ProxyFix, which rewrites the peer from a header, the real peer is still the one to be trusted."""
    app.wsgi_app = ProxyFix(app.wsgi_app)
    ask(app, headers=EDGE | {"x-forwarded-for": "198.51.100.9"})
    client.assert_asked(ip_address="192.0.2.7")
    ask(app, peer="203.0.113.5", headers=EDGE | {"x-forwarded-for": "10.0.0.1"})
    client.assert_asked(ip_address="203.0.113.5")


def test_sign_ins_are_reported(app, client):
    """A sign-in and a sign-up carry the facts of their request."""
    ask(app, "/sign-in")
    client.assert_signed_in(times=1, kilo_user_id="user-1", ip_address="192.0.2.7", ja4_digest="t13d")
    client.assert_signed_up(times=1, email="someone@example.com", auth_method="email", user_agent="agent/1")
