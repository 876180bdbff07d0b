"""What integrators test with: it sees their mistakes, and says them in words."""

import httpx
import pytest

import abuse_client
from abuse_client import AbuseClient, AsyncAbuseClient, events
from abuse_client.testing import (
    AsyncRecordingClient,
    RecordingClient,
    WrongPayload,
    classification,
    problems_in,
    run_fake_service,
)

pytest_plugins = ["abuse_client.testing.plugin"]

SIGN_IN = {"kilo_user_id": "user-1", "event_type": "signin", "email": "someone@example.com"}
COST = {"request_id": 7, "message_id": "msg-1", "cost": 4200}

WRONG = [
    ("/api/classify", {"max_tokens": "many"}, "max_tokens"),
    ("/api/classify", {"kilo_userid": "user-1"}, "kilo_userid: no field of the contract"),
    ("/api/usage/cost", {"request_id": 7, "cost": 1}, "message_id: required, but missing or null"),
    ("/api/usage/cost", COST | {"cost": 0.5}, "cost"),
    ("/api/auth-event", {"kilo_user_id": "user-1", "event_type": "login", "email": "a@example.com"}, "event_type"),
    ("/api/events", {"events": [{"type": "user.banned", "data": {}}]}, "events[0].type: found 'user.banned'"),
    ("/api/events", {"events": [{"type": "user.blocked", "data": {"reason": "x"}}]}, "events[0].data.kilo_user_id"),
    (
        "/api/events",
        {"events": [{"type": "user.blocked", "data": {"kilo_user_id": "u", "actor_mail": "a@example.com"}}]},
        "events[0].data.actor_mail: no field of the contract",
    ),
    ("/api/events", {"events": [{"data": {}}]}, "events[0]."),
    ("/api/events", {"events": 5}, "events: expected a list"),
]


@pytest.mark.parametrize(("path", "fields", "problem"), WRONG)
def test_wrong_field_has_its_place(path, fields, problem):
    """A field that is missing, wrong or misspelt is named with its place."""
    assert problems_in(path, fields)[0].startswith(problem)


def test_right_payloads_have_no_problem():
    """What the contract says, and Stripe's objects whatever is in them, is no problem."""
    stripe = events.stripe_charge_failed({"id": "evt_1", "odd": 1, "data": {"object": {"x": 1}}}, kilo_user_id="u")
    client = RecordingClient()
    client.report_events([stripe, events.user_blocked(kilo_user_id="u", reason="r")])
    client.report_auth_event(SIGN_IN | {"stripe_customer_id": "cus_1"})
    client.report_cost(COST)
    assert RecordingClient(accepts_unknown=True).report_event({"type": "x.y", "data": {}}) is None


def test_recorder_raises_at_the_call():
    """A wrong payload fails the test where it was made."""
    client = RecordingClient()
    with pytest.raises(WrongPayload, match="actor_mail: no field"):
        client.report_event(events.user_blocked(kilo_user_id="u", actor_mail="a@example.com"))
    with pytest.raises(WrongPayload, match="email: required"):
        client.report_auth_event({"kilo_user_id": "u", "event_type": "signin"})
    client.assert_nothing_reported()


def test_assertions_speak():
    """An assertion finds by type and fields, and one that fails says what it found instead."""
    client = RecordingClient()
    client.report_event(events.user_blocked(kilo_user_id="user-1", reason="resale"))
    client.report_auth_event(SIGN_IN)
    client.report_cost(COST)
    client.classify_request({"kilo_user_id": "user-1"})
    assert client.assert_reported("user.blocked", kilo_user_id="user-1")["data"]["reason"] == "resale"
    client.assert_not_reported("user.unblocked")
    client.assert_signed_in(times=1, kilo_user_id="user-1")
    client.assert_signed_up(times=0)
    client.assert_asked(kilo_user_id="user-1")
    client.assert_cost_reported(message_id="msg-1")
    with pytest.raises(AssertionError, match=r"expected an event user.blocked with kilo_user_id='user-2', found 0"):
        client.assert_reported("user.blocked", kilo_user_id="user-2")
    with pytest.raises(AssertionError, match=r"expected no event user\.blocked, found 1"):
        client.assert_not_reported("user.blocked")
    with pytest.raises(AssertionError, match="2 times, found 1"):
        client.assert_signed_in(times=2)
    with pytest.raises(AssertionError, match="expected no report, found 3"):
        client.assert_nothing_reported()
    client.clear()
    client.assert_nothing_reported()


def test_recorder_takes_what_client_takes():
    """Everything public of the real clients is there, so that a recorder can stand in for one."""
    for real, stand_in in ((AbuseClient, RecordingClient), (AsyncAbuseClient, AsyncRecordingClient)):
        wanted = {name for name in dir(real) if not name.startswith("_")} - {"stats"}
        assert wanted - set(dir(stand_in)) == set()
    client = RecordingClient()
    client.report_events({"events": [{"type": "user.deleted", "data": {"kilo_user_id": "u"}}]})
    client.report_cost({"request_id": 0, "message_id": "m", "cost": 1})
    assert ([event["type"] for event in client.events], client.costs) == (["user.deleted"], [])


async def test_answers_come_in_order():
    """A test gives answers one after the other, the last one again and again."""
    client = AsyncRecordingClient()
    assert await client.classify_request({}) is None
    client.answer(None, classification("block"))
    actions = [(await client.classify_request({})) for _ in range(3)]
    assert [answer and answer.rules_engine.resolved_action for answer in actions] == [None, "block", "block"]
    assert (await client.flush(1), await client.close()) == (True, None)


def test_fake_service_serves_real_client():
    """The real client gets along with the fake service, which shows what came."""
    with run_fake_service() as service:
        service.answer(classification("block", request_id=9, signals=["known_abuser"], retry_after_seconds=3))
        with AbuseClient(service.url) as client:
            answer = client.classify_request({"kilo_user_id": "user-1", "user_prompt": "long " * 10_000})
            assert (answer.rules_engine.resolved_action, answer.request_id) == ("block", 9)
            client.report_cost(COST)
            client.report_auth_event(SIGN_IN)
            client.report_event(events.user_blocked(kilo_user_id="user-1"))
            assert client.flush(5)
            assert client.stats().failed == 0
        service.assert_contract_kept()
        service.assert_reported("user.blocked", times=1, kilo_user_id="user-1")
        service.assert_signed_in(times=1)
        service.assert_cost_reported(times=1, request_id=7)


def test_fake_service_answers_503_when_told():
    """Told to give no answer, it gives none."""
    with run_fake_service() as service:
        service.answer(None)
        with AbuseClient(service.url) as client:
            assert client.classify_request({"kilo_user_id": "user-1"}) is None


@pytest.mark.parametrize(("path", "fields", "problem"), WRONG)
def test_fake_service_refuses_what_is_wrong(path, fields, problem):
    """What breaks the contract is answered as the service would, and fails the test at its end."""
    with run_fake_service() as service:
        answer = httpx.post(service.url + path, json=fields)
        assert answer.status_code == (202 if isinstance(fields.get("events"), list) else 422)
        with pytest.raises(AssertionError, match="the contract was not kept"):
            service.assert_contract_kept()
        assert problem in service.problems[0]
        assert httpx.post(service.url + path, content=b"{").status_code == 400
        assert httpx.post(service.url + "/api/other", json={}).status_code == 404
        service.assert_nothing_reported()


def test_fixtures_are_there(abuse_recorder, async_abuse_recorder, fake_abuse_service):
    """The plugin gives both recorders, and a running service that clients from the environment find."""
    assert (type(abuse_recorder), type(async_abuse_recorder)) == (RecordingClient, AsyncRecordingClient)
    abuse_client.report_event(events.user_deleted(kilo_user_id="user-1"))
    assert abuse_client.flush(5)
    abuse_client.close()
    fake_abuse_service.assert_reported("user.deleted", times=1)
