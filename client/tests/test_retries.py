"""What is sent again, when, and what is not."""

import socket
import threading
import time

import pytest

from abuse_client import AbuseClient, Stats
from abuse_client.retry import KEEP_TRYING_S, LONGEST_PAUSE_S, LONGEST_RETRY_AFTER_S, MAX_ATTEMPTS, pause_before_retry
from abuse_client.service import Answer, NoAnswer

BLOCK = {"type": "user.blocked", "data": {"kilo_user_id": "user-1"}}


def hang_up(handler):
    handler.close_connection = True


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_service_is_asked_again(sink, behaviour, status):
    """A report that met a busy service is sent again, byte for byte, under the same id."""
    sink.behave(behaviour(status), behaviour(status))
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.flush(5)
        assert client.stats() == Stats(sent=1)
    assert len({one.body for one in sink.received}) == 1
    assert len(sink.received) == 3


def test_lost_connection_is_retried(sink):
    """A connection that breaks before the answer is tried again."""
    sink.behave(hang_up)
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.flush(5)
        assert client.stats() == Stats(sent=1)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 413, 422, 500, 501])
def test_refusal_is_final(sink, behaviour, status, caplog):
    """A refusal is not repeated, and the reports behind it still leave."""
    sink.behave(behaviour(status, b'{"error": "no"}', Location="/elsewhere"))
    with AbuseClient(sink.url) as client:
        client.report_cost({"request_id": 1, "message_id": "m", "cost": 1})
        assert client.flush(5)
        client.report_event(BLOCK)
        assert client.flush(5)
        assert client.stats() == Stats(sent=1, failed=1)
    assert [one.path for one in sink.received] == ["/api/usage/cost", "/api/events"]
    assert f"status {status}" in caplog.text
    assert '{"error": "no"}' in caplog.text


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"success": false, "error": "unknown"}'])
def test_unusable_receipt_is_failure(sink, behaviour, body):
    """A 2xx without the JSON object that the service answers came from somebody else: counted as failed."""
    sink.behave(behaviour(200, body))
    with AbuseClient(sink.url) as client:
        client.report_cost({"request_id": 1, "message_id": "m", "cost": 1})
        assert client.flush(5)
        assert client.stats() == Stats(failed=1)


def test_retry_after_is_honoured(sink, behaviour):
    """What the service asks for by ``Retry-After`` is waited for."""
    sink.behave(behaviour(429, Retry_After="1"))
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.flush(5)
    assert 0.95 < sink.received[1].at - sink.received[0].at < 2.0


@pytest.mark.parametrize("told", ["-5", "1e9", "nan", "", "2, 3", "\u00b2", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400])
def test_absurd_retry_after_loses_nothing(sink, behaviour, told):
    """What `Retry-After` says that is no time, over long ago or in ages, gives up no report."""
    sink.behave(behaviour(429, Retry_After=told))
    client = AbuseClient(sink.url)
    client.report_event(BLOCK)
    sink.wait_for(1)
    if told == "9" * 400:  # a minute, in truth
        assert client.flush(0.3) is False
        assert client.stats().queued == 1
        client._engine.stop()
    else:
        assert client.flush(5)
        assert client.stats().sent == 1
        client.close()


def test_outage_loses_nothing(sink):
    """Events that were reported while nobody listened arrive once the service is back."""
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    with AbuseClient(f"http://127.0.0.1:{port}") as client:
        for _ in range(300):
            client.report_event(BLOCK)
        time.sleep(0.5)
        relay = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=forward, args=(relay, sink.port), daemon=True).start()
        assert client.flush(10)
        assert client.stats() == Stats(sent=300)
    relay.close()
    assert len(sink.events) == 300


def forward(relay, port):
    """Pass connections on to ``port`` until the relay is closed."""
    while True:
        try:
            near, _ = relay.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=copy, args=(source, target), daemon=True).start()


def copy(source, target):
    try:
        while chunk := source.recv(65536):
            target.sendall(chunk)
    except OSError:
        pass
    source.close()
    target.close()


def test_pause_grows_and_is_spread():
    """Pauses double up to a limit and differ by chance, so that senders do not come back in step."""
    busy = Answer(status=503, body=b"")
    shortest = [pause_before_retry(attempt, busy, spread=0.0) for attempt in range(1, MAX_ATTEMPTS)]
    longest = [pause_before_retry(attempt, busy, spread=1.0) for attempt in range(1, MAX_ATTEMPTS)]
    assert longest == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, LONGEST_PAUSE_S]
    assert shortest == [pause / 2 for pause in longest]
    assert pause_before_retry(1, busy) != pause_before_retry(1, busy)


def test_attempts_are_bounded():
    """After eight attempts in five minutes or more a report is given up; before that, an outage costs nothing."""
    for outcome in (Answer(status=503, body=b""), NoAnswer("ConnectError", may_retry=True)):
        assert pause_before_retry(MAX_ATTEMPTS, outcome, KEEP_TRYING_S) is None
        assert pause_before_retry(MAX_ATTEMPTS - 1, outcome, KEEP_TRYING_S) is not None
        assert pause_before_retry(10 * MAX_ATTEMPTS, outcome, KEEP_TRYING_S - 1) is not None


def test_retry_after_has_limit():
    """A service that asks for an hour gets a minute."""
    assert pause_before_retry(1, Answer(status=429, body=b"", retry_after_s=3600)) == LONGEST_RETRY_AFTER_S
