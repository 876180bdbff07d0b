"""``bench start``: seconds from ``serve`` to the first answer, with a million events in the log."""

import http.client
import tempfile
import time
from pathlib import Path

from abuse_lab.bench.figures import Figure, Result, at_most
from abuse_lab.bench.ingest import acknowledged
from abuse_lab.bench.load import load
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_lab.lane import local_address, request_bytes
from abuse_lab.people import People
from abuse_lab.service_process import START_SECONDS, ServiceProcess, run_service

USERS = 50_000
EVENTS_A_BATCH = 500
BATCHES_A_LOAD = 100
TAIL_EVENTS = 45_000
"""Behind the last snapshot when the process is killed: nearly as many as fit before the next one (50,000)."""


def measure(options: Options) -> Result:
    """``seconds_1m_events`` after a stop in order, and the same after a kill with a tail behind the last snapshot."""
    events = options.pick(full=1_000_000, quick=10_000)
    tail = options.pick(full=TAIL_EVENTS, quick=1_000)
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory:
        data, mixture = Path(directory), Mixture(fresh_seed(), min(USERS, events // 10))
        with run_service(data) as service:
            fill(service, mixture, events)
        stopped, killed = [], []
        for _ in range(options.runs):
            stopped.append(_seconds_to_answer(data))
            with_tail = ServiceProcess(data)
            try:
                fill(with_tail.await_ready(), mixture, tail)
            finally:
                with_tail.kill()
            killed.append(_seconds_to_answer(data))
    against = (
        f"the clock: from the start of the process to the first answer of /api/classify, {events:,} events or more"
    )
    return Result(
        bench="start",
        is_quick=options.is_quick,
        figures={
            "seconds_1m_events": Figure(runs=tuple(stopped), goal=at_most(3), against=against),
            "seconds_1m_events_after_kill": Figure(
                runs=tuple(killed), goal=at_most(3), against=f"{against}, {tail:,} of them behind the last snapshot"
            ),
        },
    )


def fill(service: ServiceProcess, mixture: Mixture, events: int) -> None:
    """Make so many new events durable. Raises `NotAsSent`."""
    left = events // EVENTS_A_BATCH
    while left:
        batches = min(left, BATCHES_A_LOAD)
        requests = [request_bytes("/api/events", body) for body in mixture.batches(batches, EVENTS_A_BATCH)]
        count = acknowledged(load(service.url, requests, 4))
        if count != batches * EVENTS_A_BATCH:
            raise NotAsSent(f"{count} events acknowledged of {batches * EVENTS_A_BATCH} new ones")
        left -= batches


def _seconds_to_answer(data: Path) -> float:
    question = People(fresh_seed(), 1).question(0)
    service = ServiceProcess(data)
    try:
        while not (url := service.announced_url()) and service.is_running:
            time.sleep(0.001)
        host, port = local_address(url)
        # The socket listens before the service is recovered, so one request waits for the first moment it can be had.
        connection = http.client.HTTPConnection(host, port, timeout=START_SECONDS)
        connection.request("POST", "/api/classify", question, {"content-type": "application/json"})
        status = connection.getresponse().status
        seconds = time.perf_counter() - service.started_at
        connection.close()
    finally:
        service.stop()
    if status != 200:
        raise NotAsSent(f"the first answer has status {status}, expected 200")
    return seconds
