"""Classify answers with a decision, whatever a prompt or an optional field holds."""

import concurrent.futures
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_client.contract import ClassifyPayload

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.just("\ud83d")
    | st.just("2024-05-01 12:34:56.789+00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = [name for name in ClassifyPayload.__struct_fields__ if name not in ("extra", "occurred_at")]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=10), JUNK, max_size=12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_oddity_is_refused(service, fields):
    """No oddity of an optional field, and no content of a prompt, makes classify refuse."""
    fields.pop("occurred_at", None)
    answer = service.post("/api/classify", fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request_id"] > 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_prompt":"\\ud83d"}',
        b'{"user_prompt":"\\ude00\\ud83d"}',
        b'{"user_prompt":"\xff\xfe \xed\xa0\xbd"}',
        b'{"user_prompt":"\\u0000"}',
        b'{"user_prompt":"raw \x00 and \x1f"}',
        b'\xef\xbb\xbf{"user_prompt":"mark"}',
        b'{"max_tokens":1e400}',
        b'{"max_tokens":123456789012345678901234567890}',
        b'{"kilo_user_id":""}',
        b'{"kilo_user_id":17}',
        b'{"kilo_user_id":null,"ip_address":{}}',
        b'{"created_at":"2024-05-01 12:34:56.789+00"}',
        b'{"user_prompt":[[[[[[[[1]]]]]]]]}',
        b'{"\\ud83d":1}',
        b"{}",
    ],
)
def test_odd_bytes_get_a_decision(service, body):
    """Half surrogates, NUL, bytes that are no UTF-8, huge numbers, wrong types: a decision all the same."""
    answer = service.post("/api/classify", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["request_id"] > 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"\x1f\x8b\x08", 400),
        (b"[" * 1_000_000, 400),
        (b'{"user_prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    ],
)
@pytest.mark.parametrize("path", ["/api/classify", "/api/events", "/api/auth-event", "/api/usage/cost"])
def test_malformed_json_is_named(service, path, body, status):
    """What is no JSON object, or nests without end, is a 400 in the one error shape; never a 500."""
    answer = service.post(path, body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"code", "message", "path"}


def test_nesting_is_bounded(service):
    """An object that nests deeper than 64 levels is refused, in classify too."""
    deep = b'{"a":' * 100 + b"1" + b"}" * 100
    assert service.post("/api/classify", deep).status_code == 400
    answer = service.post("/api/events", b'{"events":[{"type":"x","data":' + deep + b"}]}").json()
    assert [row["message"] for row in answer["rejected"]] == ["nested too deep"]


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/api/events", b'{"a":' * 100 + b"1" + b"}" * 100, "events"),
        ("/api/events", {"events": 1}, "events"),
        ("/api/events", {}, "events"),
        ("/api/auth-event", {"kilo_user_id": "u", "event_type": "signup"}, "email"),
        ("/api/auth-event", {"kilo_user_id": "u", "event_type": "secret@example.com", "email": "e"}, "event_type"),
        ("/api/auth-event", {"kilo_user_id": " ", "event_type": "signup", "email": "e"}, "kilo_user_id"),
        ("/api/usage/cost", {"request_id": "x", "message_id": "m", "cost": 1}, "request_id"),
        ("/api/usage/cost", {"request_id": 0, "message_id": "m", "cost": 1}, "request_id"),
        ("/api/usage/cost", {"request_id": 1, "message_id": "m", "cost": 10**30}, "cost"),
        ("/api/usage/cost", b'{"request_id":1,"message_id":"m","cost":1e400}', "cost"),
    ],
)
def test_wrong_required_field_is_named(service, path, body, place):
    """A missing or wrong required field is a 422 that names the place and repeats no value."""
    answer = service.post(path, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["path"] == place
    assert "secret@example.com" not in answer.text


def test_errors_and_log_keep_secrets(service):
    """Neither an error nor the log repeats personal data."""
    personal = "very.personal@example.com"
    service.post("/api/auth-event", {"kilo_user_id": "u", "event_type": personal, "email": personal})
    service.events({"type": "user.email_changed", "data": {"kilo_user_id": "u", "email": {"at": personal}}})
    service.events({"type": "user.blocked", "data": {"kilo_user_id": [personal]}})
    answer = service.post("/api/classify", {"kilo_user_id": "u", "user_prompt": personal})
    assert answer.status_code == 200
    assert personal not in service.log_text()


def test_prompts_are_not_kept(service):
    """In the place of a prompt stand its hash and its length."""
    prompt = "ä🙂" * 50_000
    service.post("/api/classify", json.dumps({"kilo_user_id": "long", "user_prompt": prompt}).encode())
    deadline, kept = time.monotonic() + 5, {}
    while kept.get("kilo_user_id") != "long" and time.monotonic() < deadline:
        kept = next((event["body"] for event in reversed(service.log_events())), {})
    assert re.fullmatch(rf"~[0-9a-f]{{32}}/{len(json.dumps(prompt)) - 2}", kept["user_prompt"])


def test_body_above_limit_is_refused(service):
    """A body above 32 MiB is a 413, announced or not."""
    large = b'{"user_prompt":"' + b"x" * (32 * 2**20) + b'"}'
    assert service.post("/api/classify", large).status_code == 413
    chunks = (large[start : start + 2**20] for start in range(0, len(large), 2**20))
    assert service.client.post("/api/classify", content=chunks).status_code == 413
    assert service.post("/api/classify", {}).status_code == 200


def test_huge_prompts_stay_within_memory(run_service, capsys):
    """Thirty prompts of 30 MiB at once each get a decision, and memory stays within a bound."""
    service = run_service()
    before = _peak_mib(service.process.pid)
    body = b'{"kilo_user_id":"huge","user_prompt":"' + "🙂".encode() * (30 * 2**20 // 4) + b'"}'
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: service.post("/api/classify", body), range(30)))
    assert [answer.status_code for answer in answers] == [200] * 30
    assert all(answer.json()["request_id"] > 0 for answer in answers)
    grown = _peak_mib(service.process.pid) - before
    with capsys.disabled():
        print(f"\n30 bodies of 30 MiB at once: peak memory grew by {grown:.0f} MiB (bound 400, sent 900)")
    assert grown < 400


def test_halves_of_emojis_stall_nobody(service):
    """A long prompt of halves of surrogate pairs is taken out without being scanned: others are answered meanwhile."""
    half = b"\\ud83d"
    body = b'{"kilo_user_id":"halves","user_prompt":"' + half * (12 * 2**20 // 6) + b'","geo_city":"\\ud83d\\ude00"}'
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        long_one = pool.submit(service.post, "/api/classify", body)
        assert service.post("/api/classify", {}).status_code == 200
        assert long_one.result().json()["request_id"] > 0
    for _ in range(100):
        kept = [event["body"] for event in service.log_events(-3) if event["body"].get("kilo_user_id") == "halves"]
        if kept:
            break
    assert kept[0]["geo_city"] == "😀"
    assert kept[0]["user_prompt"].endswith(f"/{len(half) * (12 * 2**20 // 6)}")


def test_request_ids_never_repeat(service):
    """Every classification has an id of its own."""
    ids = [service.post("/api/classify", {"kilo_user_id": "many"}).json()["request_id"] for _ in range(300)]
    assert len(set(ids)) == 300


def test_sender_id_makes_one_request(service):
    """A classify with the same event_id is one request and gets the same answer."""
    body = {"kilo_user_id": "once", "event_id": "ask-1"}
    first = service.post("/api/classify", body).json()
    assert service.post("/api/classify", body).json() == first
    assert service.post("/api/classify", {"kilo_user_id": "once"}).json()["request_id"] != first["request_id"]
    assert service.identity("user:once")["record"]["spend"]["requests"] == 2


def _peak_mib(pid):
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("peak memory is read from /proc, which this system does not have")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
