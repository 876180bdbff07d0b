"""One subject put through one scenario, each in a process of its own, against one sink."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from abuse_lab.bench.embedding.peers import ROOT

SCRIPT = Path(__file__).with_name("scenarios.py")
TRIAL_SECONDS = 90
SINK_BACK_SECONDS = 60.0
ARRIVAL_SECONDS = 3.0
NOBODY = "http://127.0.0.1:1"
"""An address of this machine at which nobody listens."""
COUNTED = ("outage", "leave", "fork")
"""The scenarios that are about what arrives."""
_GAVE_UP = 3


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: what the scenario measured, and how many events never arrived."""

    told: dict[str, float]
    lost: int


class Bench:
    """A sink, and an interpreter to run subjects in."""

    def __init__(self, python: Path, url: str) -> None:
        self._python = python
        self._url = url

    def run(self, subject: str, scenario: str, size: int) -> Trial | None:
        """The trial, or ``None`` when it did not end in time or gave up."""
        tag = secrets.token_hex(6)
        url = NOBODY if scenario == "memory" else self._url
        command = [str(self._python), str(SCRIPT), subject, scenario, url, tag, str(size)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
        environment |= {"PYTHONPATH": str(ROOT / "client" / "src")}
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=TRIAL_SECONDS, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            return None
        if ended.returncode == _GAVE_UP:
            return None
        if ended.returncode:
            raise RuntimeError(f"{subject}, {scenario}: {ended.stderr.strip()[-500:]}")
        told: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
        return Trial(told=told, lost=size - self._arrived(tag, size) if scenario in COUNTED else 0)

    def _arrived(self, tag: str, size: int) -> int:
        """How many different events came, once no more come."""
        until = time.monotonic() + ARRIVAL_SECONDS
        while (came := self._marks(tag)) < size and time.monotonic() < until:
            time.sleep(0.1)
        return came

    def _marks(self, tag: str) -> int:
        until = time.monotonic() + SINK_BACK_SECONDS
        while True:
            try:
                told: Any = httpx.get(f"{self._url}/-/marks/{tag}", trust_env=False).json()
                return int(told["different"])
            except httpx.HTTPError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)


@contextmanager
def open_bench(python: Path) -> Iterator[Bench]:
    """A bench with a sink of its own, which ends with it."""
    command = [sys.executable, "-m", "abuse_lab.bench.embedding.sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
        try:
            assert sink.stdout is not None
            yield Bench(python, f"http://127.0.0.1:{int(sink.stdout.readline())}")
        finally:
            sink.terminate()
