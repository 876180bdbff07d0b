"""Forks, the end of the interpreter, closing, and what happens when too much waits."""

import asyncio
import gc
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from abuse_client import AbuseClient, AsyncAbuseClient, Stats

BLOCK = {"type": "user.blocked", "data": {"kilo_user_id": "user-1"}}

PREAMBLE = """
import os, sys
from abuse_client import AbuseClient, events
client = AbuseClient(sys.argv[1])
def report(name):
    client.report_event(events.user_deleted(kilo_user_id=name))
"""


def run(script, url, within_s=20):
    """Run ``script`` in an interpreter of its own; returns how long that took."""
    begun = time.monotonic()
    whole = PREAMBLE + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", whole, url],
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return time.monotonic() - begun


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def users(sink):
    return sorted(event["data"]["kilo_user_id"] for event in sink.events)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_exit_loses_nothing(sink, host):
    """A script that reports a thousand events and ends delivers them all, also where the host is a name."""
    run("for number in range(1000): report(f'user-{number}')", f"http://{host}:{sink.port}")
    assert len(sink.events) == 1000


def test_exit_is_not_held_up():
    """A script whose service is down ends within the limit."""
    quick = run("report('user-1'); client._engine.close(0)", f"http://127.0.0.1:{unused_port()}")
    slow = run("report('user-1')", f"http://127.0.0.1:{unused_port()}")
    assert slow - quick < 4.0


def test_exit_after_exception(sink):
    """A script that dies of an exception still delivers what it reported."""
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run("report('user-1'); 1 / 0", sink.url)
    assert users(sink) == ["user-1"]


def test_report_at_exit_is_safe(sink):
    """Reporting while the interpreter ends neither raises nor hangs."""
    run("import atexit; atexit.register(report, 'last'); report('first')", sink.url)
    assert "first" in users(sink)


def test_fork_sends_its_own(sink):
    """Parent and child each deliver their own events, once, over connections of their own."""
    run(
        """
        report("before")
        assert client.flush(5)
        pid = os.fork()
        report("child" if pid == 0 else "parent")
        assert client.flush(5)
        assert client.classify_request({}).request_id == 17
        if pid == 0:
            assert client.stats().sent == 2, client.stats()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        report("after")
        """,
        sink.url,
    )
    assert users(sink) == ["after", "before", "child", "parent"]


def test_fork_does_not_repeat_queue(sink):
    """What waited in the parent at the fork is the parent's to send; the child begins with an empty queue."""
    run(
        """
        for number in range(500):
            report(f"user-{number:03}")
        pid = os.fork()
        if pid == 0:
            report("child")
            assert client.flush(5)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """,
        sink.url,
    )
    assert len(users(sink)) == len(set(users(sink))) == 501


def test_fork_before_first_use(sink):
    """A client made before the fork and first used after it works in every child."""
    run(
        """
        pids = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                report(f"child-{number}")
                assert client.flush(5)
                os._exit(0)
            pids.append(pid)
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)
        """,
        sink.url,
    )
    assert users(sink) == ["child-0", "child-1", "child-2"]


def test_worker_process_flushes_at_exit(sink):
    """A `multiprocessing` child, which skips `atexit`, delivers before it ends."""
    run(
        """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        report("parent")
        child = context.Process(target=report, args=("child",))
        child.start()
        child.join()
        assert child.exitcode == 0
        """,
        sink.url,
    )
    assert users(sink) == ["child", "parent"]


@pytest.mark.parametrize("obstacle", ["abuse_client.engine.Loop", "abuse_client.engine.Service"])
def test_failed_start_never_raises(sink, monkeypatch, caplog, obstacle):
    """Where no thread or connection can be made, say for want of file descriptors, the caller goes on; reports wait."""

    def fail(*_):
        raise OSError("too many open files")

    monkeypatch.setattr(obstacle, fail)
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.classify_request({}) is None
        stats = client.stats()
        assert (stats.failed, stats.queued, stats.dropped) == (1, 1, 0)
        assert "too many open files" in caplog.text
        monkeypatch.undo()
        monkeypatch.setattr("abuse_client.engine.PAUSE_AFTER_FAILED_START_S", 0.0)
        client._engine._no_start_before = 0.0
        assert client.flush(5)
    assert len(sink.events) == 1


def test_idle_client_has_no_thread(sink):
    """A client that was never used runs no thread, a used one runs one, a closed one none."""

    def ours():
        return [thread for thread in threading.enumerate() if thread.name.startswith("abuse-client")]

    client = AbuseClient(sink.url)
    assert ours() == []
    client.report_event(BLOCK)
    assert client.flush(5)
    assert len(ours()) == 1
    client.close()
    assert ours() == []


def test_idle_client_sleeps(sink):
    """A client that was used and now is not takes no processor time: its thread is not even woken."""
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.classify_request({}) is not None
        assert client.flush(5)
        time.sleep(0.2)
        loop, turns = client._engine._running.loop, []
        waits = loop._wait
        loop._wait = lambda timeout: (turns.append(timeout), waits(timeout))[1]
        client.report_event(BLOCK)
        assert client.flush(5)
        time.sleep(0.2)
        turns.clear()
        time.sleep(0.6)
        assert turns == []


def test_first_report_does_not_wait(sink, monkeypatch):
    """Not even the first report waits for certificates to be read or a connection to be made."""

    def begin_slowly(*_):
        time.sleep(1.0)
        raise OSError("an unreadable certificate")

    monkeypatch.setattr("abuse_client.engine.Service", begin_slowly)
    with AbuseClient(sink.url, exit_flush_s=0) as client:
        begun = time.monotonic()
        client.report_event(BLOCK)
        assert time.monotonic() - begun < 0.3
        time.sleep(1.2)


def test_process_end_tries_once_more(sink, behaviour):
    """What waits for a failing service to recover is tried once more when the client closes."""
    sink.behave(*[behaviour(503)] * 6)
    client = AbuseClient(sink.url)
    client.report_event(BLOCK)
    sink.wait_for(5, within_s=20)
    client.close()
    assert len(sink.received) >= 6
    closed_at = time.monotonic()
    client.close()
    assert time.monotonic() - closed_at < 0.5


def test_closed_client_drops(sink, caplog):
    """After closing, reports are dropped and counted, questions are ``None``; closing again does no harm."""
    client = AbuseClient(sink.url)
    client.report_event(BLOCK)
    client.close()
    client.report_event(BLOCK)
    assert client.classify_request({}) is None
    assert client.stats() == Stats(sent=1, failed=1, dropped=1)
    client.close()
    assert len(sink.events) == 1
    assert "closed" in caplog.text


def test_forgotten_client_still_sends(sink):
    """A client that is dropped without closing delivers what it took, and its thread ends."""
    client = AbuseClient(sink.url)
    client.report_events([BLOCK] * 500)
    thread = client._engine._running.thread
    del client
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
    assert len(sink.events) == 500


def test_flush_says_when_late():
    """Flushing against a service that is down returns ``False`` in time, and closing counts what was lost."""
    client = AbuseClient(f"http://127.0.0.1:{unused_port()}", exit_flush_s=0.1)
    client.report_events([BLOCK] * 3)
    begun = time.monotonic()
    assert not client.flush(0.2)
    assert client.stats().queued == 3
    client.close()
    assert time.monotonic() - begun < 1.5
    assert client.stats() == Stats(dropped=3)


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), None, "soon", -1, 10**400])
async def test_odd_flush_never_raises(sink, timeout):
    """A time-out that is none, or has no end, is no time or an hour."""
    with AbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert client.flush(timeout) is (timeout in (float("inf"), 10**400))
    async with AsyncAbuseClient(sink.url) as client:
        client.report_event(BLOCK)
        assert await client.flush(timeout) is (timeout in (float("inf"), 10**400))


@pytest.mark.parametrize(
    "setting",
    [
        {"max_queued": 0},
        {"max_queued_bytes": -1},
        {"max_prompt_characters": -3},
        {"max_questions": -1},
        {"linger_s": float("nan")},
        {"attempt_timeout_s": 0},
        {"exit_flush_s": float("inf")},
    ],
)
def test_impossible_setting_is_named(setting):
    """A setting that cannot be meant is told where the client is made, by its name."""
    with pytest.raises(ValueError, match=next(iter(setting))):
        AbuseClient(**setting)


async def test_async_flush_says_when_late():
    """The asyncio client does the same without holding up the loop."""
    client = AsyncAbuseClient(f"http://127.0.0.1:{unused_port()}", exit_flush_s=0.1)
    client.report_event(BLOCK)
    flushing = asyncio.create_task(client.flush(0.2))
    await asyncio.sleep(0.05)
    assert not flushing.done()
    assert await flushing is False
    await client.close()
    assert client.stats() == Stats(dropped=1)


def test_full_queue_drops_oldest(sink, behaviour, caplog):
    """Beyond the limit the oldest report goes, counted and logged; the newest arrive."""
    release = threading.Event()
    sink.behave(lambda handler: (release.wait(5), behaviour(503)(handler)))
    with AbuseClient(sink.url, max_queued=10) as client:
        client.report_event({"type": "first", "data": None})
        sink.wait_for(1)
        for number in range(25):
            client.report_event({"type": f"later-{number}", "data": None})
        assert client.stats().dropped == 15
        release.set()
        assert client.flush(5)
        assert client.stats() == Stats(sent=11, dropped=15)
    assert [event["type"] for event in sink.events[2:]] == [f"later-{number}" for number in range(15, 25)]
    assert "queue full" in caplog.text
