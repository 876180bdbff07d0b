"""Servers on this machine in processes of their own, up until their context ends."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 240.0
"""LiteLLM takes half a minute on a quiet machine."""
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOG_LINES = 15


class NotServing(RuntimeError):
    """a server did not come up"""


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str], port: int, *, health: str, directory: Path, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run the command until the context ends, and give its address once it answers. Raises `NotServing`.

    Nothing of the environment's own ``ABUSE_…`` and ``CLOUD_…`` reaches it.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ABUSE_", "CLOUD_"))}
    log_path = directory / f"server-{port}.log"
    with log_path.open("wb") as log:
        running = subprocess.Popen(
            command,
            env=kept | dict(settings or {}),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=directory,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        await_answer(running, url + health, log_path)
        yield url
    finally:
        running.terminate()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def await_answer(running: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    """Return when the address answers."""
    deadline = time.monotonic() + START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(address, timeout=5.0, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(POLL_SECONDS)
    end = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    raise NotServing(f"{address} did not come up; its log ends:\n{end}")
