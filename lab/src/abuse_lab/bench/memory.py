"""``bench memory``: resident bytes an identity, hot; and that cold ones cost no memory and answer alike."""

import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from abuse_lab.bench.figures import UNIT, Figure, Result, at_least, at_most, gather
from abuse_lab.bench.lives import EVENTS_A_LIFE, Lives
from abuse_lab.bench.load import load
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_lab.desk import ServiceDesk
from abuse_lab.lane import request_bytes
from abuse_lab.service_process import ServiceProcess, run_service

IDENTITIES_AT_ONCE = 5000
SAMPLE = 200
HOT_LIMIT = 5_000_000
LIVE_STATES = 2_000
"""States held ready for use: a working set that does not grow with the identities, kept small so that they show."""
COLD_LIMIT = 1000
SETTLE_SECONDS = 3


def measure(options: Options) -> Result:
    """``bytes_per_identity``, hot, and beside it what a small limit leaves of it."""
    identities = options.pick(full=100_000, quick=200)
    settle_seconds = options.pick(full=SETTLE_SECONDS, quick=1)
    runs = gather([_run(identities, settle_seconds) for _ in range(options.runs)])
    return Result(
        bench="memory",
        is_quick=options.is_quick,
        figures={
            "bytes_per_identity": Figure(
                runs=runs["bytes_per_identity"],
                goal=at_most(2048),
                against=f"growth of resident memory over {identities:,} identities with {EVENTS_A_LIFE} events each, "
                f"{LIVE_STATES:,} states ready for use",
            ),
            "cold_answers_alike": Figure(
                runs=runs["cold_answers_alike"],
                goal=at_least(1),
                against=f"the same page of each of {min(SAMPLE, identities)} identities while it was hot",
            ),
            "bounded_vs_hot": Figure(
                runs=runs["bounded_vs_hot"],
                against=f"the same growth without a limit, after every identity asked again, {COLD_LIMIT} hot ones",
            ),
            "hot_growth_mib": Figure(runs=runs["hot_growth_mib"], against=UNIT),
            "bounded_growth_mib": Figure(runs=runs["bounded_growth_mib"], against=UNIT),
        },
    )


def _run(identities: int, settle_seconds: float) -> dict[str, float]:
    lives = Lives(fresh_seed(), identities)
    sample = random.sample(range(identities), min(SAMPLE, identities))
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory:
        data = Path(directory)
        with run_service(data, hot_identities=HOT_LIMIT, live_states=LIVE_STATES) as service:
            before = _settled_bytes(service, settle_seconds)
            for first in range(0, identities, IDENTITIES_AT_ONCE):
                lives.live(service.url, range(first, min(first + IDENTITIES_AT_ONCE, identities)))
            growth = _settled_bytes(service, settle_seconds) - before
            hot = _pages(service, lives, sample)
        with run_service(data, hot_identities=COLD_LIMIT, live_states=LIVE_STATES) as service:
            before = _settled_bytes(service, settle_seconds)
            cold = _pages(service, lives, sample)
            _ask_again(service, lives, identities)
            bounded = _settled_bytes(service, settle_seconds) - before
    return {
        "bytes_per_identity": growth / identities,
        "cold_answers_alike": sum(a == b for a, b in zip(hot, cold, strict=True)) / len(sample),
        "bounded_vs_hot": bounded / growth,
        "hot_growth_mib": growth / 2**20,
        "bounded_growth_mib": bounded / 2**20,
    }


def _settled_bytes(service: ServiceProcess, settle_seconds: float) -> int:
    # Records follow their answers within 50 ms, and a snapshot that is under way comes to its end.
    time.sleep(settle_seconds)
    return service.resident_bytes()


def _pages(service: ServiceProcess, lives: Lives, sample: Sequence[int]) -> list[Any]:
    with ServiceDesk(service.url) as desk:
        return [json.loads(desk.raw_identity(f"user:{lives.people.user_id(index)}")) for index in sample]


def _ask_again(service: ServiceProcess, lives: Lives, identities: int) -> None:
    for first in range(0, identities, IDENTITIES_AT_ONCE):
        everybody = range(first, min(first + IDENTITIES_AT_ONCE, identities))
        asked = load(service.url, [request_bytes("/api/classify", lives.people.question(i)) for i in everybody], 8)
        if set(asked.statuses) != {200}:
            raise NotAsSent(f"cold identities were answered with {sorted(set(asked.statuses))}")
