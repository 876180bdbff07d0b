"""The reports: what leaves, when, and what stays out of the caller's way."""

import json
import logging
import threading
import time

import pytest

import abuse_client
from abuse_client import AbuseClient, AsyncAbuseClient, events
from abuse_client.contract import AuthEventPayload, ContractError, CostPayload, EventsBatch, InvalidField

COST = {"request_id": 17, "message_id": "msg-1", "cost": 4200}
AUTH = {"kilo_user_id": "user-1", "event_type": "signin", "email": "someone@example.com"}
BLOCK = {"type": "user.blocked", "data": {"kilo_user_id": "user-1"}}


def without_id(fields):
    return {name: value for name, value in fields.items() if name != "event_id"}


def test_each_report_reaches_endpoint(sink):
    """Costs, sign-ins and events each arrive at their own path with the fields that were given."""
    with AbuseClient(sink.url) as client:
        client.report_cost(COST)
        client.report_auth_event(AUTH)
        client.report_event(BLOCK)
        assert client.flush(5)
    assert without_id(sink.only("/api/usage/cost")) == COST
    assert without_id(sink.only("/api/auth-event")) == AUTH
    assert [without_id(event) for event in sink.events] == [BLOCK]


def test_typed_payloads_leave_alike(sink):
    """A struct of the contract and a mapping with the same fields make the same request."""
    with AbuseClient(sink.url) as client:
        client.report_cost(CostPayload(request_id=17, message_id="msg-1", cost=4200))
        client.report_auth_event(
            AuthEventPayload(kilo_user_id="user-1", event_type="signin", email="someone@example.com")
        )
        client.report_event(events.user_blocked(kilo_user_id="user-1"))
        assert client.flush(5)
    assert without_id(sink.only("/api/usage/cost")) == COST
    assert without_id(sink.only("/api/auth-event")) == AUTH
    assert [without_id(event) for event in sink.events] == [BLOCK]


async def test_async_reports_arrive(sink):
    """The asyncio client hands its reports over without being awaited, and flushes them."""
    async with AsyncAbuseClient(sink.url) as client:
        client.report_cost(COST)
        client.report_auth_event(AUTH)
        client.report_events([BLOCK, BLOCK])
        assert await client.flush(5)
        assert client.stats() == abuse_client.Stats(sent=4)
    assert sorted(one.path for one in sink.received) == ["/api/auth-event", "/api/events", "/api/usage/cost"]


def test_envelopes_hold_200_events(sink, politely):
    """However many events are reported at once, an envelope holds 200 at most and each event leaves once, in order."""
    release = threading.Event()
    sink.behave(lambda handler: (release.wait(5), politely(handler)))
    with AbuseClient(sink.url) as client:
        client.report_event(events.user_deleted(kilo_user_id="user-0"))
        sink.wait_for(1)
        client.report_events(events.user_deleted(kilo_user_id=f"user-{number}") for number in range(1, 1050))
        release.set()
        assert client.flush(5)
        assert client.stats().sent == 1050
    assert [event["data"]["kilo_user_id"] for event in sink.events] == [f"user-{number}" for number in range(1050)]
    assert max(len(one.fields["events"]) for one in sink.received) == 200


@pytest.mark.parametrize("wrap", [lambda given: given, lambda given: {"events": given}])
def test_envelope_or_list_alike(sink, wrap):
    """A list of events and an envelope of them are both taken."""
    with AbuseClient(sink.url) as client:
        client.report_events(wrap([BLOCK, BLOCK]))
        client.report_events(EventsBatch(events=[events.user_deleted(kilo_user_id="user-2")]))
        assert client.flush(5)
    assert [event["type"] for event in sink.events] == ["user.blocked", "user.blocked", "user.deleted"]


def test_every_report_has_id(sink):
    """Each event, cost and sign-in gets an id of its own, so that a repeat counts once; a given id stays."""
    with AbuseClient(sink.url) as client:
        client.report_cost(COST)
        client.report_auth_event(AUTH | {"event_id": "mine"})
        client.report_events([BLOCK, BLOCK])
        assert client.flush(5)
    ids = [sink.only(path)["event_id"] for path in ("/api/usage/cost", "/api/auth-event")]
    ids += [event["event_id"] for event in sink.events]
    assert ids[1] == "mine"
    assert len(set(ids)) == 4
    assert all(len(one) <= 64 for one in ids)


def test_stripe_id_suffices(sink):
    """Where Stripe's data has its own event id, none is added: the service derives one from it."""
    with AbuseClient(sink.url) as client:
        client.report_event(events.stripe_charge_failed({"id": "evt_1", "customer": "cus_1"}))
        client.report_event(events.stripe_charge_failed({"id": "ch_1", "customer": "cus_1"}))
        assert client.flush(5)
    assert ["event_id" in event for event in sink.events] == [False, True]


def test_time_is_never_guessed(sink):
    """``occurred_at`` leaves only when the caller gave it."""
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        client.report_event(BLOCK | {"occurred_at": 1714566896000})
        client.report_cost(COST)
        assert client.flush(5)
    assert [event.get("occurred_at") for event in sink.events] == [None, 1714566896000]
    assert "occurred_at" not in sink.only("/api/usage/cost")


@pytest.mark.parametrize("request_id", [None, 0])
def test_cost_needs_classification(sink, request_id, caplog):
    """A cost without a request id, or with 0, is not sent, and that is no failure."""
    with AbuseClient(sink.url) as client:
        client.report_cost({"request_id": request_id, "message_id": "msg-1", "cost": 1})
        assert client.flush(5)
        assert client.stats() == abuse_client.Stats()
    assert sink.received == []
    assert caplog.records == []


def test_unknown_fields_leave_too(sink):
    """A field or type that this version does not know reaches the service as it was given."""
    tomorrow = {"type": "user.password_changed", "data": {"strength": 3}, "also": [1, {"deep": None}]}
    with AbuseClient(sink.url) as client:
        client.report_auth_event(AUTH | {"shoe_size": 43})
        client.report_event(tomorrow)
        assert client.flush(5)
    assert sink.only("/api/auth-event")["shoe_size"] == 43
    assert without_id(sink.events[0]) == tomorrow


def test_half_surrogates_are_mended(sink):
    """Text that was cut inside an emoji leaves as valid UTF-8 instead of failing."""
    with AbuseClient(sink.url) as client:
        client.report_event(events.user_blocked(kilo_user_id="user-1", reason="cut \ud83d"))
        assert client.flush(5)
    assert sink.events[0]["data"]["reason"] == "cut \ufffd"


@pytest.mark.parametrize(
    ("helper", "wrong"),
    [
        ("report_cost", {"request_id": 17, "message_id": "msg-1"}),
        ("report_cost", {"request_id": "17", "message_id": "msg-1", "cost": 1}),
        ("report_cost", None),
        ("report_auth_event", {"kilo_user_id": "user-1", "event_type": "sneak", "email": "someone@example.com"}),
        ("report_auth_event", {"kilo_user_id": "user-1", "event_type": "signup", "email": object()}),
        ("report_event", {"type": "user.blocked", "data": {}}),
        ("report_event", {"data": {}}),
        ("report_events", 7),
        ("report_events", {"event": []}),
    ],
)
def test_wrong_payload_never_raises(sink, caplog, helper, wrong):
    """A payload that breaks the contract is logged and counted; the caller goes on and so do later reports."""
    with AbuseClient(sink.url) as client:
        getattr(client, helper)(wrong)
        client.report_event(BLOCK)
        assert client.flush(5)
        assert client.stats() == abuse_client.Stats(sent=1, failed=1)
    assert [(record.name, record.levelno) for record in caplog.records] == [("abuse_client", logging.WARNING)]
    assert "wrong payload" in caplog.text
    assert "someone@example.com" not in caplog.text


def test_one_wrong_event_alone(sink):
    """A wrong event in the middle of a batch does not hold up the others."""
    with AbuseClient(sink.url) as client:
        client.report_events([BLOCK, {"type": "user.blocked", "data": {}}, BLOCK])
        assert client.flush(5)
        assert client.stats() == abuse_client.Stats(sent=2, failed=1)


def test_malformed_optional_still_leaves(sink):
    """A wrong optional field is the service's to read as absent; it does not cost the report."""
    with AbuseClient(sink.url) as client:
        client.report_cost(COST | {"input_tokens": "many"})
        assert client.flush(5)
    assert sink.received[0].fields["input_tokens"] == "many"


def test_strict_raises_at_call(sink):
    """In development a wrong payload raises where it was made, naming the place; optional fields count too."""
    with AbuseClient(sink.url, strict=True) as client:
        with pytest.raises(InvalidField, match=r"data\.kilo_user_id"):
            client.report_event({"type": "user.blocked", "data": {}})
        with pytest.raises(InvalidField, match="input_tokens"):
            client.report_cost(COST | {"input_tokens": "many"})
        with pytest.raises(ContractError, match="latency"):
            client.classify_request({"latency": "long"})
        client.report_cost(COST)
        assert client.flush(5)
    assert len(sink.received) == 1


def test_strict_needs_no_service():
    """Without an address a strict client still checks, and sends nothing."""
    with AbuseClient("", strict=True) as client:
        with pytest.raises(ContractError):
            client.report_event({"type": "user.blocked", "data": {}})
        client.report_event(BLOCK)
        assert client.classify_request({}) is None


async def test_without_url_nothing_happens(caplog):
    """With no address every helper returns nothing, even for nonsense, and starts no thread."""
    with AbuseClient() as client:
        assert client.classify_request({}) is None
        assert client.report_cost(None) is None
        assert client.report_events(7) is None
        assert client.flush(0.1)
    async with AsyncAbuseClient() as client:
        assert await client.classify_request({}) is None
        assert client.report_auth_event({}) is None
        assert await client.flush(0.1)
    assert client.stats() == abuse_client.Stats()
    assert caplog.records == []


def test_reports_do_not_wait(sink, behaviour):
    """A service that takes its time costs the caller nothing."""
    sink.behave(lambda handler: time.sleep(0.5), behaviour(503))
    with AbuseClient(sink.url, exit_flush_s=0) as client:
        begun = time.monotonic()
        for _ in range(100):
            client.report_event(BLOCK)
        assert time.monotonic() - begun < 0.25


@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_trailing_slash_is_harmless(sink, slash):
    """The address may end in a slash."""
    with AbuseClient(sink.url + slash) as client:
        assert client.classify_request({}) is not None
    assert sink.received[0].path == "/api/classify"


@pytest.mark.parametrize(
    ("client_id", "client_secret", "sent"),
    [("an-id", "a-secret", True), ("an-id", None, False), (None, "a-secret", False), ("an-id", "", False)],
)
def test_token_needs_both_values(sink, client_id, client_secret, sent):
    """The two headers of the service token leave together or not at all."""
    with AbuseClient(sink.url, client_id, client_secret) as client:
        client.classify_request({})
    headers = {name.lower(): value for name, value in sink.received[0].headers.items()}
    assert headers.get("cf-access-client-id") == ("an-id" if sent else None)
    assert headers.get("cf-access-client-secret") == ("a-secret" if sent else None)


def test_environment_feeds_plain_functions(sink, monkeypatch):
    """The functions of the package use the address and token that the environment names."""
    monkeypatch.setenv("ABUSE_SERVICE_URL", sink.url)
    monkeypatch.setenv("ABUSE_SERVICE_CF_ACCESS_CLIENT_ID", "an-id")
    monkeypatch.setenv("ABUSE_SERVICE_CF_ACCESS_CLIENT_SECRET", "a-secret")
    try:
        assert abuse_client.classify_request({"kilo_user_id": "user-1"}).request_id == 17
        abuse_client.report_cost(COST)
        abuse_client.report_auth_event(AUTH)
        abuse_client.report_event(BLOCK)
        abuse_client.report_events([BLOCK])
        assert abuse_client.flush(5)
        assert abuse_client.stats().sent == 5
    finally:
        abuse_client.close()
    assert all(one.headers["CF-Access-Client-Secret"] == "a-secret" for one in sink.received)


def test_rejected_events_are_told(sink, behaviour, caplog):
    """Events that the service refuses are counted as failed, and the log names the place of the first."""
    refusal = {"accepted": 1, "duplicates": 0, "unknown_types": [], "rejected": []}
    refusal["rejected"] = [{"index": 0, "path": "data.email", "message": "expected a string"}]
    sink.behave(behaviour(202, json.dumps(refusal).encode()))
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.flush(5)
        assert client.stats() == abuse_client.Stats(failed=1)
    assert "data.email: expected a string" in caplog.text


def test_events_share_requests(sink):
    """Events that come within a moment leave together; a flush does not wait for that moment."""
    with AbuseClient(sink.url, linger_s=0.3) as client:
        for _ in range(10):
            client.report_event(BLOCK)
            time.sleep(0.005)
        sink.wait_for(1)
        assert [len(one.fields["events"]) for one in sink.received] == [10]
        client.report_event(BLOCK)
        begun = time.monotonic()
        assert client.flush(5)
        assert time.monotonic() - begun < 0.25


def test_costs_overtake_slow_ones(sink, politely):
    """Costs leave one a request, several at a time: a slow answer holds up neither them nor the events."""
    released = threading.Event()

    def slow(handler):
        released.wait(5)
        politely(handler)

    sink.behave(slow)
    with AbuseClient(sink.url) as client:
        for number in range(20):
            client.report_cost(COST | {"message_id": f"msg-{number}"})
        client.report_event(BLOCK)
        sink.wait_for(21)
        until = time.monotonic() + 5
        while client.stats().queued > 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert client.stats().queued == 1
        released.set()
        assert client.flush(5)
        assert client.stats().sent == 21


def test_events_keep_their_order(sink):
    """Events arrive in the order in which they were reported, whatever of them is dropped last."""
    kinds = ["user.blocked", "org.created", "user.unblocked", "user.deleted"] * 100
    with AbuseClient(sink.url) as client:
        for number, kind in enumerate(kinds):
            client.report_event({"type": kind, "data": {"kilo_user_id": f"u{number}", "organization_id": "o"}})
        assert client.flush(5)
    assert [event["data"]["kilo_user_id"] for event in sink.events] == [f"u{number}" for number in range(400)]


def test_payload_is_taken_at_the_call(sink):
    """A payload that the caller changes afterwards leaves as it was when it was reported."""
    event = {"type": "user.blocked", "data": {"kilo_user_id": "before"}}
    with AbuseClient(sink.url) as client:
        client.report_event(event)
        event["data"]["kilo_user_id"] = "after"
        assert client.flush(5)
    assert [event["data"]["kilo_user_id"] for event in sink.events] == ["before"]


@pytest.mark.parametrize("given", [None, "", 17])
def test_own_id_replaces_no_id(sink, given):
    """An id that is null is none and gets one; what is given, even malformed, is the sender's word."""
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK | {"event_id": given})
        client.report_event({"type": "x", "data": {"event_id": "inside"}})
        assert client.flush(5)
    outer, inner = sink.events
    assert isinstance(outer["event_id"], str) if given is None else outer["event_id"] == given
    assert inner["event_id"] != "inside"
    assert inner["data"] == {"event_id": "inside"}


def test_typed_extras_leave_too(sink):
    """Fields that a typed event carries beyond the contract leave beside the known ones."""
    with AbuseClient(sink.url) as client:
        client.report_event(events.user_blocked(kilo_user_id="user-1", reason='says "$extra":', ticket="T-1"))
        client.report_event(events.user_blocked(kilo_user_id="user-1", reason='says "$extra":'))
        assert client.flush(5)
    assert [event["data"].get("ticket") for event in sink.events] == ["T-1", None]
    assert [event["data"]["reason"] for event in sink.events] == ['says "$extra":'] * 2


class Breaks(dict):
    """A mapping that fails in whoever reads it."""

    def __iter__(self):
        raise RuntimeError("broken")

    def items(self):
        raise RuntimeError("broken")

    def get(self, *_):
        raise RuntimeError("broken")


def recursive():
    payload = {"type": "x", "data": {}}
    payload["data"]["again"] = payload
    return payload


def failing_events():
    yield BLOCK
    raise RuntimeError("the query failed")


@pytest.mark.parametrize(
    "wrong", [Breaks(), recursive(), object(), b"bytes", "text", {1, 2}, lambda: None, float("nan")]
)
def test_no_object_raises(sink, wrong):
    """Whatever is handed over, no helper raises, and what follows leaves."""
    with AbuseClient(sink.url) as client:
        for helper in (client.report_cost, client.report_auth_event, client.report_event, client.report_events):
            assert helper(wrong) is None
        client.classify_request(wrong, deadline=1.0)
        client.report_events(failing_events())
        client.report_event(BLOCK)
        assert client.flush(5)
    assert [event["type"] for event in sink.events] == ["user.blocked"]


@pytest.mark.parametrize("deadline", [None, "soon", float("nan"), float("inf"), -5, 10**400])
async def test_odd_deadline_never_raises(sink, deadline):
    """A deadline that is no time is one that is over, and an endless one is bounded."""
    with AbuseClient(sink.url) as client:
        client.classify_request({}, deadline=deadline)
    async with AsyncAbuseClient(sink.url) as client:
        await client.classify_request({}, deadline=deadline)
