"""Bodies that come compressed: taken, within bounds, and no way around them."""

import gzip
import json
import zlib

import pytest

EVENT = {"type": "user.blocked", "data": {"kilo_user_id": "gzip-1", "reason": "x" * 3000}}
BOMB_BYTES = 20 * 2**20


def send(service, path, body, coding="gzip"):
    return service.post(path, body, headers={"content-encoding": coding})


def test_each_route_takes_gzip(service):
    """A compressed body says the same as a plain one, at each of the four endpoints, and every answer says so."""
    bodies = {
        "/api/events": {"events": [EVENT]},
        "/api/auth-event": {"kilo_user_id": "gzip-1", "event_type": "signin", "email": "someone@example.com"},
        "/api/classify": {"kilo_user_id": "gzip-1", "user_prompt": "a" * 9000},
        "/api/usage/cost": {"request_id": 1, "message_id": "m", "cost": 1, "kilo_user_id": "gzip-1"},
    }
    for path, fields in bodies.items():
        answer = send(service, path, gzip.compress(json.dumps(fields).encode()))
        assert answer.status_code in (200, 202), answer.text
        assert answer.headers["accept-encoding"] == "gzip"
    assert {"user.blocked", "auth.signin"} <= {event["type"] for event in service.log_events()}


def test_large_batch_is_inflated_whole(service):
    """A batch of some megabytes comes out as it went in."""
    events = [{"type": "user.deleted", "data": {"kilo_user_id": f"gzip-{n}-{n * n:x}"}} for n in range(20_000)]
    for part in (events[:10_000], events[10_000:]):
        padded = [event | {"note": f"{hash(str(event)):x}" * 8} for event in part]
        body = json.dumps({"events": padded}).encode()
        assert len(body) > 2**20
        answer = send(service, "/api/events", gzip.compress(body))
        assert answer.json()["accepted"] == 10_000


@pytest.mark.parametrize("path", ["/api/classify", "/api/events"])
def test_bomb_is_refused(service, path):
    """What inflates to a hundred times its size, or beyond the route's limit, is refused before it is inflated."""
    bomb = gzip.compress(b'{"user_prompt":"' + b"a" * BOMB_BYTES + b'"}')
    answer = send(service, path, bomb)
    assert answer.status_code in (400, 413)
    assert "times as large" in answer.text or "limit" in answer.text
    assert send(service, path, gzip.compress(b" " * (33 * 2**20))).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not compressed at all, though it says so",
        gzip.compress(b"{}")[:-3],
        gzip.compress(b"{}") + b"more",
        gzip.compress(b"{}") + gzip.compress(b"{}"),
        zlib.compress(b"{}" * 50),
        gzip.compress(b"a" * 5000)[:-4] + (10).to_bytes(4, "little"),
        gzip.compress(b"{}")[:-4] + (2**31).to_bytes(4, "little"),
    ],
)
def test_broken_gzip_is_refused(service, body):
    """What is cut off, longer than it says, followed by more, or no gzip, is refused in the one error shape."""
    answer = send(service, "/api/classify", body)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["code"] in ("bad_request", "too_large")


def test_unknown_coding_is_named(service):
    """Another coding is a 415 that says what is taken; none, or ``identity``, is a plain body."""
    answer = send(service, "/api/classify", b"{}", coding="br")
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_coding"
    assert answer.headers["accept-encoding"] == "gzip"
    assert send(service, "/api/classify", b"{}", coding="identity").status_code == 200
