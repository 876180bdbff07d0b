"""Failures in the log: rare, bounded, and without secrets."""

import logging

from abuse_client import AbuseClient
from abuse_client.circuit import FAILURES_TO_OPEN
from abuse_client.failures import SILENCE_S, Failures, excerpt

SECRET = "a-very-secret-value"
BLOCK = {"type": "user.blocked", "data": {"kilo_user_id": "user-1"}}


def echo(handler):
    """Answer 401 with the request's headers in the body, as some proxies do."""
    body = str(handler.headers).encode()
    handler.send_response(401)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def test_kind_is_told_once_a_minute(caplog):
    """The first failure of a kind is logged at once, further ones a minute later with their number."""
    now = [100.0]
    failures = Failures(clock=lambda: now[0])
    for _ in range(5):
        failures.tell("status 500", "body: oops")
    failures.tell("time-out", "no answer")
    now[0] += SILENCE_S
    failures.tell("status 500", "body: oops")
    assert caplog.messages == [
        "status 500: body: oops",
        "time-out: no answer",
        "status 500: body: oops (4 more like this since the last line)",
    ]


def test_outage_is_two_lines(sink, behaviour, caplog):
    """A hundred failures make a line of their kind, one that the service is left alone, and a hundred counted."""
    sink.behave(*[behaviour(500, b"oops")] * FAILURES_TO_OPEN)
    with AbuseClient(sink.url) as client:
        for _ in range(100):
            client.classify_request({})
        assert client.stats().failed == 100
    assert caplog.messages[0] == "/api/classify failed, status 500: body: oops"
    assert caplog.messages[1].startswith("/api/classify failed, Unavailable: not asked")
    assert len(caplog.messages) == 2
    assert caplog.records[0].levelno == logging.WARNING
    assert len(sink.received) == FAILURES_TO_OPEN


def test_raising_handler_stays_ours(sink, behaviour, monkeypatch):
    """A log handler of the host that raises does not reach the caller."""

    class Broken(logging.Handler):
        def emit(self, record):
            raise RuntimeError("the log's disk is full")

    logger, handler = logging.getLogger("abuse_client"), Broken()
    logger.addHandler(handler)
    try:
        with AbuseClient(sink.url) as client:
            client.report_event({"type": "user.blocked", "data": {}})
            client.report_event(object())
            assert client.flush(5)
            assert client.stats().failed == 2
    finally:
        logger.removeHandler(handler)


def test_body_is_cut_short(sink, behaviour, caplog):
    """Of a long answer 500 characters are logged, and control characters stand escaped."""
    sink.behave(behaviour(500, b"\x1b[31m\n" + b"a" * 10_000))
    with AbuseClient(sink.url) as client:
        client.classify_request({})
    assert len(caplog.messages[0]) < 600
    assert "\\x1b[31m\\na" in caplog.messages[0]


def test_secret_is_never_logged(sink, caplog):
    """A service that echoes the token does not get it into the log."""
    caplog.set_level(logging.DEBUG)
    sink.behave(echo, echo)
    with AbuseClient(sink.url, "an-id-value", SECRET) as client:
        client.classify_request({})
        client.report_event(BLOCK)
        assert client.flush(5)
    assert "status 401" in caplog.text
    assert SECRET not in caplog.text
    assert "an-id-value" not in caplog.text


def test_unusable_secret_stays_unsaid(sink, caplog):
    """A secret that cannot stand in a header is not sent, and the log says so without showing it."""
    with AbuseClient(sink.url, "an-id-value", "a-very-secret\nvalue") as client:
        assert client.classify_request({}) is not None
    assert "service token not sent" in caplog.text
    assert "a-very-secret" not in caplog.text
    assert not any(name.lower().startswith("cf-") for name in sink.received[0].headers)


def test_settings_hide_secret(sink):
    """Printing a client's settings does not show the token."""
    with AbuseClient(sink.url, "an-id-value", SECRET) as client:
        assert SECRET not in repr(client._settings)


def test_excerpt_of_anything():
    """Bytes that are no text, and none at all, make a readable excerpt."""
    assert excerpt(b"") == "(empty)"
    assert excerpt(b"\xff\xfe") == "\ufffd\ufffd"
