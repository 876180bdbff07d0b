"""A forked child has a queue and connections of its own, and its parent never notices."""

import subprocess
import sys
import threading
import time

from abuse_client.loop import LONGEST_REST_WAIT_S, Loop

PREAMBLE = """
import os, sys, time
from abuse_client import AbuseClient, events
client = AbuseClient(sys.argv[1])
def report(name):
    client.report_event(events.user_deleted(kilo_user_id=name))
def fork(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid
def wait(pid):
    assert os.waitpid(pid, 0)[1] == 0
"""


def start(script, url):
    return subprocess.Popen([sys.executable, "-c", PREAMBLE + script, url], stderr=subprocess.PIPE, text=True)


def finish(process, within_s=40):
    _, told = process.communicate(timeout=within_s)
    assert process.returncode == 0, told
    assert "Traceback" not in told, told


STORM = """
def work():
    report("child")
    assert client.flush(10), client.stats()
    assert client.classify_request({}, deadline=10).request_id == 17
for number in range(40):
    for _ in range(50):
        report("parent")
    if number % 4 == 0:
        client._engine.stop()
        client = AbuseClient(sys.argv[1])
        report("parent")
    time.sleep(number * 0.0007)
    wait(fork(work))
assert client.flush(10)
"""


def test_fork_at_any_moment(sink):
    """Whatever the thread is at when a process forks, starting, connecting or sending, the child is none the worse."""
    finish(start(STORM, sink.url), within_s=120)
    assert [event["data"]["kilo_user_id"] for event in sink.events].count("child") == 40


def test_child_keeps_no_connection(sink):
    """The parent's connections end when the parent closes them, though the child lives on."""
    script = """
report("parent")
assert client.flush(5)
pid = fork(lambda: time.sleep(4))
client.close()
print("closed", file=sys.stderr, flush=True)
wait(pid)
"""
    process = start(script, sink.url)
    assert process.stderr.readline() == "closed\n"
    until = time.monotonic() + 2
    while sink.connections and time.monotonic() < until:
        time.sleep(0.01)
    assert sink.connections == []
    assert process.poll() is None
    finish(process)


def test_parent_goes_on_over_its_connection(sink):
    """A child that begins and ends leaves the parent's kept connection as it was."""
    script = """
report("parent")
assert client.flush(5)
def work():
    report("child")
    assert client.flush(5)
for _ in range(3):
    wait(fork(work))
    report("parent")
    assert client.flush(5)
"""
    finish(start(script, sink.url))
    assert len({one.connection for one in sink.received if b"parent" in one.body}) == 1
    assert len({one.connection for one in sink.received}) == 4


def test_grandchildren_send_too(sink):
    """A child forks again, and each generation delivers its own."""
    script = """
def work():
    report("child")
    def more():
        report("grandchild")
        assert client.flush(5)
    wait(fork(more))
    assert client.flush(5)
report("parent")
wait(fork(work))
assert client.flush(5)
"""
    finish(start(script, sink.url))
    assert sorted(e["data"]["kilo_user_id"] for e in sink.events) == ["child", "grandchild", "parent"]


def test_busy_loop_is_not_waited_for():
    """A loop that does not come to rest holds up a fork for half a second and no longer."""
    loop = Loop()
    loop.call_soon(lambda: (time.sleep(4 * LONGEST_REST_WAIT_S), loop.stop()))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    time.sleep(0.1)
    begun = time.monotonic()
    assert not loop.rest()
    assert LONGEST_REST_WAIT_S - 0.05 < time.monotonic() - begun < 2 * LONGEST_REST_WAIT_S
    thread.join()
    assert loop.rest()
    loop.resume()
    loop.close()


def test_nothing_is_imported_in_the_thread(sink):
    """No module is loaded behind the caller's back, for a fork meanwhile would leave half of it to the child."""
    script = """
def use(url):
    client = AbuseClient(url)
    before = set(sys.modules)
    client.report_event(events.user_deleted(kilo_user_id="x"))
    client.report_auth_event({})
    client.classify_request({"user_prompt": "x" * 100_000}, deadline=1.0)
    client.flush(1)
    assert set(sys.modules) == before, set(sys.modules) - before
    client._engine.stop()
use(sys.argv[1])
use(sys.argv[1].replace("http://", "https://").replace("127.0.0.1", "localhost"))
"""
    finish(start(script, sink.url))
