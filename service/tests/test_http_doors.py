"""Who may come in."""

import contextlib
import socket
import subprocess
import sys
import time

import pytest

TOKENS = [
    {"id": "cloud.access", "secret": "s3cret-cloud", "source": "cloud", "scopes": ["write"]},
    {"id": "ops.access", "secret": "s3cret-ops", "source": "ops", "scopes": ["read", "admin", "write", "import"]},
]


def headers(token_id, secret):
    return {"CF-Access-Client-Id": token_id, "CF-Access-Client-Secret": secret}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        headers("cloud.access", "wrong"),
        headers("cloud.access", ""),
        headers("nobody", "s3cret-cloud"),
        headers("cloud.access", "s3cret-ops"),
        {"CF-Access-Client-Id": "cloud.access"},
    ],
)
def test_wrong_token_stays_outside(guarded, sent):
    """A missing or wrong token is a 401 in the one error shape."""
    answer = guarded.post("/api/classify", {}, headers=sent)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert "s3cret" not in answer.text


def test_scopes_bound_what_a_token_may(guarded):
    """A token does what its scopes say and nothing else."""
    cloud, ops = headers("cloud.access", "s3cret-cloud"), headers("ops.access", "s3cret-ops")
    assert guarded.post("/api/classify", {}, headers=cloud).status_code == 200
    assert guarded.client.get("/api/console/policy", headers=cloud).status_code == 403
    assert guarded.client.get("/api/console/policy", headers=ops).status_code == 200
    assert guarded.client.get("/metrics", headers=cloud).status_code == 403
    change = {"is_enforced": True, "reason": "test"}
    assert guarded.post("/api/console/enforcement", change, headers=cloud).status_code == 403


def test_old_requests_need_import(guarded):
    """A classify that claims to be older than 10 minutes needs the scope import."""
    old = {"kilo_user_id": "old", "occurred_at": 1_700_000_000_000}
    refused = guarded.post("/api/classify", old, headers=headers("cloud.access", "s3cret-cloud"))
    assert refused.status_code == 403
    assert refused.json()["error"]["path"] == "occurred_at"
    taken = guarded.post("/api/classify", old, headers=headers("ops.access", "s3cret-ops"))
    assert taken.status_code == 200


def test_health_needs_no_token(guarded):
    """Whoever watches the process needs no secret."""
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert guarded.client.get(path).status_code == 200


def test_event_ids_are_scoped_by_source(guarded):
    """Two senders may use the same event id."""
    event = {"type": "user.deleted", "event_id": "same", "data": {"kilo_user_id": "scoped"}}
    answers = [
        guarded.post("/api/events", {"events": [event]}, headers=sent).json()["accepted"]
        for sent in (headers("cloud.access", "s3cret-cloud"), headers("ops.access", "s3cret-ops"))
    ]
    assert answers == [1, 1]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_open_doors_refuse_to_start(tmp_path, host):
    """Bound to any other address than loopback, the service wants a token before it starts."""
    command = [sys.executable, "-m", "abuse_service", "serve", "--host", host, "--port", "0", "--data", str(tmp_path)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "at least one service token is required" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_secrets_stay_out_of_errors(tmp_path):
    """A broken list of tokens is refused without a word of it."""
    command = [sys.executable, "-m", "abuse_service", "serve", "--port", "0", "--data", str(tmp_path)]
    for broken in (
        '[{"id":"a","secret":""}]',
        '[{"id":"a","secret":"s3cret"}]',
        '[{"id":"a","secret":"s3cret-xyz","source":"service"}]',
        '[{"id":"a","secret":"s3cret-x","scopes":["fly"]}]',
        '[{"secret":"s3cret-x"',
        '"s3cret-x"',
    ):
        ended = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=30, env={"ABUSE_TOKENS": broken, "PATH": ""}
        )
        assert ended.returncode == 1
        assert "s3cret" not in ended.stderr + ended.stdout
        assert "Traceback" not in ended.stderr


def test_open_service_says_so_once(service):
    """On loopback without tokens the service is open, and says so once in its log."""
    assert service.post("/api/console/enforcement", {"is_enforced": True, "reason": "test"}).status_code == 200
    assert service.log_text().count("open to this machine") == 1


def test_web_pages_change_nothing(service):
    """What a web page can make a browser send to this machine without asking never reaches the switches."""
    body = b'{"is_enforced":false,"reason":"x"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = service.client.post("/api/console/enforcement", content=body, headers={"content-type": kind})
        assert answer.status_code == 400
    assert service.client.get("/readyz").json()["enforcing"] is True


def test_huge_numbers_are_named(service):
    """A number that fits no id is a 400 that names it."""
    for path in ("decisions/1" + "0" * 20, "events?after=1" + "0" * 20, f"events?after={2**63 - 1}"):
        assert service.client.get(f"/api/console/{path}").status_code == 400


def connect(service):
    """A bare connection to a service."""
    url = service.client.base_url
    return socket.create_connection((url.host, url.port), timeout=10)


def test_slow_head_is_refused(run_service):
    """A request whose head does not arrive in time is answered 408 and closed, however steadily it drips."""
    service = run_service(read_seconds=0.5)
    with connect(service) as idle, connect(service) as dripping:
        started = time.monotonic()
        for byte in b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: ":
            try:
                dripping.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        assert time.monotonic() - started < 5
        for connection in (idle, dripping):
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
            assert connection.recv(1000) == b""
    assert service.client.get("/healthz").status_code == 200


def test_slow_second_head_is_refused(run_service):
    """A connection that was served once gets no more time for the head of its next request."""
    service = run_service(read_seconds=0.5)
    with connect(service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\nGET /hea")
        answers = b""
        while part := connection.recv(1000):
            answers += part
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


def test_huge_head_is_refused(service):
    """A head without end is answered 431 and closed."""
    with connect(service) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"reset|pipe"):
            connection.sendall((b"x: " + b"y" * 1000 + b"\r\n") * 20_000)
    assert service.client.get("/healthz").status_code == 200


def test_connections_are_bounded(run_service):
    """A connection beyond the limit is closed; those that stand are served on, and room that is freed is given."""
    service = run_service(connections=5)
    standing = [connect(service) for _ in range(4)]
    assert service.client.get("/healthz").status_code == 200
    with connect(service) as beyond, contextlib.suppress(ConnectionResetError):
        assert beyond.recv(1000) == b""
    assert service.client.get("/healthz").status_code == 200
    for connection in standing:
        connection.close()
    time.sleep(0.2)
    with connect(service) as again:
        again.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert again.recv(1000).startswith(b"HTTP/1.1 200 ")
