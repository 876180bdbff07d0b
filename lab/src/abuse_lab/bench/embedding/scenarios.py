"""What a subject is put through: ``python scenarios.py SUBJECT SCENARIO URL TAG SIZE`` prints one line of JSON.

Runs in the environment of the peers, so it imports nothing of the lab but the module beside it.
"""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subjects import SUBJECTS, Subject  # type: ignore[import-not-found]

BURST = 20
BURST_PAUSE_S = 0.002
ADMIT_PAUSE_S = 0.005
BEAT_S = 0.001
WINDOWS = 20
OUTAGE_S = 3.0
MEMORY_SECONDS = 20.0
"""A subject that has not taken all events by then is not measured on memory."""


def cost(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """What a call costs its caller, in microseconds, in bursts as a busy server makes them."""
    return _percentiles(_timed(subject, tag, size, lambda: time.sleep(BURST_PAUSE_S)))


def loop(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """The same inside an event loop, and for how long the loop did not turn.

    What the machine does to a process comes and goes, what a client does comes with each of its batches: so the longest
    stall is taken of each of twenty windows, and told of the quietest.
    """

    async def run() -> dict[str, float]:
        taken: list[int] = []
        stalls: list[float] = []
        for window in range(WINDOWS):
            calls, stall = await _window(subject, tag, range(window * size // WINDOWS, (window + 1) * size // WINDOWS))
            taken += calls
            stalls.append(stall)
        return _percentiles(taken) | {"stall_ms": 1000 * min(stalls), "longest_stall_ms": 1000 * max(stalls)}

    return asyncio.run(run())


def admit(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """What it costs a gateway to have a request judged that does not wait, at some hundred requests a second."""
    taken = []
    for number in range(size):
        begun = time.perf_counter_ns()
        subject.admit(f"mark-{tag}-{number}")
        taken.append(time.perf_counter_ns() - begun)
        time.sleep(ADMIT_PAUSE_S)
    return _percentiles(taken)


async def _window(subject: "Subject", tag: str, numbers: range) -> tuple[list[int], float]:
    taken: list[int] = []
    longest = 0.0
    is_done = False

    async def beat() -> None:
        nonlocal longest
        while not is_done:
            begun = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            longest = max(longest, time.perf_counter() - begun - BEAT_S)

    beating = asyncio.create_task(beat())
    for start in range(numbers.start, numbers.stop, BURST):
        taken += _burst(subject, tag, start, min(numbers.stop, start + BURST))
        await asyncio.sleep(BURST_PAUSE_S)
    is_done = True
    await beating
    return taken, longest


def outage(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """Events reported over an outage of three seconds, and how many calls raised."""
    subject.report(f"mark-{tag}-0")
    subject.flush()
    _post(f"{url}/-/outage?{OUTAGE_S}")
    begun, raised = time.monotonic(), 0
    for number in range(1, size):
        raised += _raises(lambda number=number: subject.report(f"mark-{tag}-{number}"))  # type: ignore[misc]
        time.sleep(max(0.0, begun + OUTAGE_S * number / size - time.monotonic()))
    time.sleep(1.0)
    with contextlib.suppress(Exception):
        subject.flush()
    time.sleep(2.0)
    with contextlib.suppress(Exception):
        subject.flush()
    return {"raised": raised}


def leave(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """Events reported right before the interpreter ends."""
    for number in range(size):
        subject.report(f"mark-{tag}-{number}")
    return {}


def fork(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """A third before a fork, a third by the child, a third by the parent after it."""
    third = size // 3
    for number in range(third):
        subject.report(f"mark-{tag}-{number}")
    pid = os.fork()
    for number in range(third, 2 * third) if pid == 0 else range(2 * third, size):
        with contextlib.suppress(Exception):
            subject.report(f"mark-{tag}-{number}")
    # What hangs in the child must not hang the bench.
    flushing = threading.Thread(target=subject.flush, daemon=True)
    flushing.start()
    flushing.join(8)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return {}


def memory(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """Growth of resident memory with so many events waiting for a sink that is not there, MiB."""
    with contextlib.suppress(Exception):
        subject.report(f"mark-{tag}-0")
    time.sleep(0.5)
    before = _resident_mib()
    begun = time.monotonic()
    for number in range(1, size):
        with contextlib.suppress(Exception):
            subject.report(f"mark-{tag}-{number}")
        if number % 100 == 0 and time.monotonic() - begun > MEMORY_SECONDS:
            os._exit(3)
    grown = _resident_mib() - before
    print(json.dumps({"mib": grown}), flush=True)
    os._exit(0)


def idle(subject: "Subject", tag: str, size: int, url: str) -> dict[str, float]:
    """Processor time of a second in which nothing is reported, milliseconds, and how many threads live through it."""
    subject.report(f"mark-{tag}-0")
    subject.flush()
    time.sleep(1.0)
    before = time.process_time()
    time.sleep(size)
    return {"cpu_ms_per_s": 1000 * (time.process_time() - before) / size, "threads": threading.active_count() - 1}


def _timed(subject: "Subject", tag: str, size: int, rest: Callable[[], object]) -> list[int]:
    taken: list[int] = []
    for start in range(0, size, BURST):
        taken += _burst(subject, tag, start, min(size, start + BURST))
        rest()
    return taken


def _burst(subject: "Subject", tag: str, start: int, end: int) -> list[int]:
    taken = []
    for number in range(start, end):
        mark = f"mark-{tag}-{number}"
        begun = time.perf_counter_ns()
        subject.report(mark)
        taken.append(time.perf_counter_ns() - begun)
    return taken


def _percentiles(taken: list[int]) -> dict[str, float]:
    ordered = sorted(taken)
    return {"p50_us": ordered[len(ordered) // 2] / 1000, "p99_us": ordered[int(len(ordered) * 0.99)] / 1000}


def _raises(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:
        return True
    return False


def _post(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=b"", method="POST")) as answer:
        answer.read()
    time.sleep(0.05)


def _resident_mib() -> float:
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:  # not Linux: the peak, which is as good where memory only grows
        resource = __import__("resource")
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 2**20


SCENARIOS = {run.__name__: run for run in (cost, loop, admit, outage, leave, fork, memory, idle)}


def main(name: str, scenario: str, url: str, tag: str, size: str) -> None:
    """Put one subject through one scenario."""
    settings: dict[str, Any] = {"max_queued": int(size)} if name == "ours" and scenario == "memory" else {}
    told = SCENARIOS[scenario](SUBJECTS[name](url, **settings), tag, int(size), url)
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
