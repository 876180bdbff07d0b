"""Classification is answered or given up by the deadline, whatever the other side does."""

import asyncio
import json
import socket
import threading
import time

import pytest

from abuse_client import AbuseClient, AsyncAbuseClient, Stats
from abuse_client.contract import ResolvedAction, Verdict

DEADLINE = 0.4
TOLERANCE = 0.35


def drip(handler, chunk=b" ", pause_s=0.02):
    for _ in range(200):
        handler.wfile.write(chunk)
        handler.wfile.flush()
        time.sleep(pause_s)


def endless_body(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.wfile.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")


def dripping_body(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    drip(handler)


def dripping_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    drip(handler, b"X: y\r\n")


def silence(handler):
    time.sleep(2 * DEADLINE)
    handler.close_connection = True


def hang_up(handler):
    handler.close_connection = True


def hang_up_in_the_middle(handler):
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"verdict":')
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(b"SSH-2.0-example\r\n")
    handler.close_connection = True


def changed(answers, **fields):
    return answers(200, json.dumps(CLASSIFICATION | fields).encode())


CLASSIFICATION = {
    "verdict": "ALLOW",
    "risk_score": 0.0,
    "signals": [],
    "action_metadata": {},
    "context": {"identity_key": "user:1", "current_spend_1h": 0, "is_new_user": True, "requests_per_second": 0.1},
    "request_id": 17,
}
RAW = [endless_body, dripping_body, dripping_headers, silence, hang_up, hang_up_in_the_middle, no_http]
FIXED = {
    "no content": lambda answers: answers(204),
    "empty body": lambda answers: answers(200),
    "not JSON": lambda answers: answers(200, b"<html>hello</html>"),
    "a list": lambda answers: answers(200, b"[]"),
    "null": lambda answers: answers(200, b"null"),
    "too deep": lambda answers: answers(200, b'{"a":' * 5000),
    "redirect": lambda answers: answers(307, Location="/elsewhere"),
    "permanent redirect": lambda answers: answers(301, Location="http://192.0.2.1/"),
    "bad request": lambda answers: answers(400, b'{"error": {}}'),
    "server error": lambda answers: answers(500),
    "huge body": lambda answers: answers(200, b" " * 2_000_000),
    "compressed unasked": lambda answers: answers(200, b"\x1f\x8b\x08", Content_Encoding="gzip"),
    "missing fields": lambda answers: answers(200, b'{"verdict": "ALLOW"}'),
    "unknown verdict": lambda answers: changed(answers, verdict="PERHAPS"),
    "wrong types": lambda answers: changed(answers, risk_score="high"),
    "wrong context": lambda answers: changed(answers, context=[]),
    "wrong rules engine": lambda answers: changed(answers, rules_engine={"resolved_action": "explode"}),
}


@pytest.fixture(params=[*RAW, *FIXED], ids=lambda which: getattr(which, "__name__", which))
def hostility(request, behaviour):
    return FIXED[request.param](behaviour) if request.param in FIXED else request.param


def test_whole_answer_is_read(sink):
    """A good answer comes back as the contract's type, to the last field."""
    with AbuseClient(sink.url) as client:
        answer = client.classify_request({"kilo_user_id": "user-1", "user_prompt": "Hi"})
        assert client.stats() == Stats(sent=1)
    assert (answer.verdict, answer.risk_score, answer.request_id) == (Verdict.ALLOW, 0.25, 17)
    assert answer.context.identity_key == "user:user-1"
    assert answer.rules_engine.resolved_action is ResolvedAction.LOG
    assert sink.received[0].fields == {"kilo_user_id": "user-1", "user_prompt": "Hi"}


def test_hostile_answer_is_none(sink, hostility, caplog):
    """A hostile answer is ``None`` by the deadline, logged and counted, and the next question is answered."""
    with AbuseClient(sink.url, exit_flush_s=0) as client:
        sink.behave(hostility)
        begun = time.monotonic()
        assert client.classify_request({}, deadline=DEADLINE) is None
        assert time.monotonic() - begun < DEADLINE + TOLERANCE
        assert client.stats().failed == 1
        assert len(caplog.records) == 1
        assert client.classify_request({}, deadline=2.0) is not None
    assert {one.path for one in sink.received} == {"/api/classify"}


async def test_hostile_answer_leaves_loop_free(sink, hostility):
    """The asyncio client keeps the same deadline, and the event loop turns meanwhile."""
    async with AsyncAbuseClient(sink.url, exit_flush_s=0) as client:
        sink.behave(hostility)
        begun = time.monotonic()
        question = asyncio.create_task(client.classify_request({}, deadline=DEADLINE))
        longest = 0.0
        while not question.done():
            slept = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - slept)
        assert await question is None
        assert time.monotonic() - begun < DEADLINE + TOLERANCE
        assert longest < 0.2
        assert await client.classify_request({}, deadline=2.0) is not None


def test_nobody_listens(caplog):
    """A refused connection is ``None`` at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with AbuseClient(url, exit_flush_s=0) as client:
        assert client.classify_request({}, deadline=5.0) is None
    assert "ConnectError" in caplog.text


def test_full_backlog_keeps_deadline():
    """A host that never completes the connection costs no more than the deadline."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        crowd = [socket.socket() for _ in range(4)]
        try:
            for one in crowd:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            with AbuseClient(f"http://127.0.0.1:{port}", exit_flush_s=0) as client:
                begun = time.monotonic()
                assert client.classify_request({}, deadline=DEADLINE) is None
                assert time.monotonic() - begun < DEADLINE + TOLERANCE
        finally:
            for one in crowd:
                one.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("prompt", ["Hi", "x" * 20_000_000], ids=["short", "20 MB"])
def test_mute_peer_keeps_deadline(scheme, prompt):
    """A peer that connects and then neither reads, nor shakes hands, nor answers costs no more than the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        with AbuseClient(url, exit_flush_s=0) as client:
            begun = time.monotonic()
            assert client.classify_request({"user_prompt": prompt}, deadline=DEADLINE) is None
            assert time.monotonic() - begun < DEADLINE + TOLERANCE


async def test_given_up_handshake_leaves_no_socket():
    """A caller who gives up while the peer does not shake hands leaves no connection open."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        loop = asyncio.get_running_loop()
        async with AsyncAbuseClient(f"https://127.0.0.1:{server.getsockname()[1]}", exit_flush_s=0) as client:
            asking = asyncio.create_task(client.classify_request({}, deadline=30))
            peer, _ = await loop.sock_accept(server)
            with peer:
                assert await loop.sock_recv(peer, 10_000)  # its hello
                asking.cancel()
                assert await asyncio.wait_for(loop.sock_recv(peer, 10_000), 5) == b""


@pytest.mark.parametrize("url", ["no-url", "ftp://example.com", "http://", "http://[", "http://a b/", "//example.com"])
def test_impossible_address_never_raises(url, caplog):
    """An address that is none fails in the log, not in the caller."""
    with AbuseClient(url, exit_flush_s=0) as client:
        assert client.classify_request({}, deadline=1.0) is None
        client.report_event({"type": "x", "data": None})
        client.flush(1.0)
        assert client.stats().sent == 0
    assert caplog.records


@pytest.mark.parametrize("deadline", [0, -1.0])
def test_no_time_no_answer(sink, deadline):
    """A deadline that is already over is ``None`` at once."""
    with AbuseClient(sink.url, exit_flush_s=0) as client:
        assert client.classify_request({}, deadline=deadline) is None


def test_slow_name_server_keeps_deadline(sink, monkeypatch):
    """A name server that does not answer costs no more than the deadline."""
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10))
    try:
        with AbuseClient(f"http://abuse.example.com:{sink.port}", exit_flush_s=0) as client:
            begun = time.monotonic()
            assert client.classify_request({}, deadline=DEADLINE) is None
            assert time.monotonic() - begun < DEADLINE + TOLERANCE
    finally:
        released.set()


def test_unknown_optional_field_is_fine(sink, behaviour):
    """An answer of a newer service, with fields and metadata that this version does not know, is still read."""
    newer = CLASSIFICATION | {"weather": "fine", "action_metadata": {"challenge_type": "dance", "mood": 1}}
    sink.behave(behaviour(200, json.dumps(newer).encode()))
    with AbuseClient(sink.url) as client:
        assert client.classify_request({}).action_metadata.challenge_type is None


async def test_cancelled_caller_stays_cancelled(sink):
    """Cancelling the task that asks cancels the question, and is not mistaken for a failure."""
    sink.behave(silence)
    async with AsyncAbuseClient(sink.url, exit_flush_s=0) as client:
        question = asyncio.create_task(client.classify_request({}, deadline=5.0))
        await asyncio.sleep(0.1)
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question


async def test_closing_answers_open_questions(sink):
    """Closing the client answers whoever still waits with ``None``."""
    sink.behave(silence)
    client = AsyncAbuseClient(sink.url, exit_flush_s=0)
    question = asyncio.create_task(client.classify_request({}, deadline=5.0))
    await asyncio.sleep(0.1)
    await client.close()
    assert await question is None


def test_many_threads_ask_at_once(sink):
    """Threads may share one client; each gets its answer."""
    with AbuseClient(sink.url) as client:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(client.classify_request({}))) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answer.request_id for answer in answers] == [17] * 32


def test_several_loops_share_client(sink):
    """One asyncio client serves several event loops, one after the other."""
    client = AsyncAbuseClient(sink.url)
    for _ in range(3):
        assert asyncio.run(client.classify_request({})) is not None
    asyncio.run(client.close())


def test_loops_at_once_share_client(sink):
    """Event loops in several threads ask and report through one client at the same time."""
    client = AsyncAbuseClient(sink.url)
    answers = []

    async def ask():
        client.report_event({"type": "x", "data": None})
        answers.extend(await asyncio.gather(*[client.classify_request({}, deadline=10) for _ in range(10)]))
        assert await client.flush(10)

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(client.close())
    assert [answer.request_id for answer in answers] == [17] * 50
    assert len(sink.events) == 5
