"""The client in the processes that real servers make of it: gevent, gunicorn with preloading, Celery's prefork pool."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HOSTS = Path(__file__).parent / "hosts"


def environment(sink, **further):
    paths = [str(HOSTS), *sys.path]
    return os.environ | {"ABUSE_SERVICE_URL": sink.url, "PYTHONPATH": os.pathsep.join(paths)} | further


def users(sink):
    return [event["data"]["kilo_user_id"] for event in sink.events]


def await_users(sink, expected, within_s=20.0):
    until = time.monotonic() + within_s
    while sorted(users(sink)) != sorted(expected):
        assert time.monotonic() < until, (sorted(users(sink)), sorted(expected))
        time.sleep(0.02)


@pytest.mark.parametrize("mode", ["patched", "unpatched", "pool", "started"])
def test_greenlets(sink, politely, mode):
    """Under gevent reports and questions work, patched or not.

    Other greenlets run meanwhile where modules are patched, and where they are not in gevent's thread pool or while
    nobody waits.
    """

    def slow(handler):
        time.sleep(0.05)
        politely(handler)

    sink.behave(politely, *[slow] * 50)
    done = subprocess.run(
        [sys.executable, str(HOSTS / "greenlets.py"), sink.url, mode],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(sink),
    )
    assert done.returncode == 0, done.stderr
    sent, longest = done.stdout.split()
    assert int(sent) == 101
    await_users(sink, [f"user-{number}" for number in range(50)] + ["at exit"])
    if mode != "unpatched":
        assert float(longest) < 0.5


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent"])
def test_preloaded_workers(sink, kind):
    """Workers that gunicorn forks from a preloaded application each ask and report over connections of their own."""
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    command = ["gunicorn", "--preload", "-k", kind, "-w", "2", "-b", f"127.0.0.1:{port}", "--no-control-socket"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--log-level", "error", "wsgi_app:app"],
        cwd=HOSTS,
        env=environment(sink),
        stderr=subprocess.DEVNULL,
    )
    try:
        served = []
        until = time.monotonic() + 20
        while len({answer.split()[0] for answer in served}) < 2 and time.monotonic() < until:
            with ThreadPoolExecutor(4) as crowd:
                served += crowd.map(ask, [port] * 4)
        assert {answer.split()[1] for answer in served} == {"17"}
    finally:
        process.terminate()
        process.wait(20)
    await_users(sink, ["loaded"] + [f"served by {answer.split()[0]}" for answer in served])


def ask(port, within_s=20.0):
    until = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_prefork_pool_flushes(sink, tmp_path):
    """Celery's workers send what their tasks reported when they end, be it after so many tasks or with the pool."""
    env = environment(sink, BROKER_FOLDER=str(tmp_path))
    send = "from celery_app import work; [work.delay(f'task-{n}') for n in range(5)]"
    subprocess.run([sys.executable, "-c", send], check=True, env=env, cwd=tmp_path, timeout=60)
    command = ["celery", "-A", "celery_app", "worker", "-c", "1", "--max-tasks-per-child", "2", "-l", "error"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"],
        cwd=tmp_path,
        env=env | {"C_FORCE_ROOT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 40
        while len(users(sink)) < 6 and time.monotonic() < until:  # two that loaded it, and four tasks of two workers
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(20)
    await_users(sink, ["loaded", "loaded", *[f"task-{number}" for number in range(5)]])
