"""``bench ingest``: durable events a second over HTTP, against bare decoding and writing of the same bytes."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from abuse_lab.bench.bare import bare_events_per_second
from abuse_lab.bench.figures import Figure, Result, at_least, gather
from abuse_lab.bench.load import load
from abuse_lab.bench.loader import Loaded
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed, interleave
from abuse_lab.desk import ServiceDesk
from abuse_lab.lane import request_bytes
from abuse_lab.service_process import run_service

CONNECTIONS = 8
EVENTS_A_BATCH = 200
USERS = 5000
WARM_UP_BATCHES = 20
SAMPLE_PAGES = 3
_PAGE = 1000


def measure(options: Options) -> Result:
    """``durable_vs_bare`` and the two rates that it is made of."""
    batches = options.pick(full=500, quick=20)
    runs = gather([_run(batches, number) for number in range(options.runs)])
    return Result(
        bench="ingest",
        is_quick=options.is_quick,
        figures={
            "durable_vs_bare": Figure(
                runs=runs["durable_vs_bare"],
                goal=at_least(0.5),
                against=f"same batches of {EVENTS_A_BATCH} by bare msgspec and executemany + commit (WAL, FULL)",
            ),
            "durable_events_per_second": Figure(runs=runs["durable"]),
            "bare_events_per_second": Figure(runs=runs["bare"]),
        },
    )


def _run(batches: int, number: int) -> dict[str, float]:
    mixture = Mixture(fresh_seed(), USERS)
    warm_up = list(mixture.batches(WARM_UP_BATCHES, EVENTS_A_BATCH))
    bodies = list(mixture.batches(batches, EVENTS_A_BATCH))
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory:
        place = Path(directory)
        rates = interleave(
            number,
            {
                "durable": lambda: durable_events_per_second(warm_up, bodies, place / "data"),
                "bare": lambda: _bare(warm_up, bodies, place),
            },
        )
    return rates | {"durable_vs_bare": rates["durable"] / rates["bare"]}


def _bare(warm_up: Sequence[bytes], bodies: Sequence[bytes], place: Path) -> float:
    bare_events_per_second(warm_up, place / "warm-up.db")
    return bare_events_per_second(bodies, place / "bare.db")


def durable_events_per_second(warm_up: Sequence[bytes], bodies: Sequence[bytes], data: Path) -> float:
    """What a fresh service acknowledged a second. Raises `NotAsSent` when it kept anything else than that."""
    with run_service(data) as service, ServiceDesk(service.url) as desk:
        load(service.url, [request_bytes("/api/events", body) for body in warm_up], CONNECTIONS)
        before = desk.position()
        loaded = load(service.url, [request_bytes("/api/events", body) for body in bodies], CONNECTIONS)
        count = acknowledged(loaded)
        if desk.position() - before != count:
            raise NotAsSent(f"{count} events acknowledged, {desk.position() - before} kept")
        check_sample(desk, bodies, before, count)
    return count / loaded.seconds


def acknowledged(loaded: Loaded) -> int:
    """How many events the service took on itself. Raises `NotAsSent` when it refused a batch or an event."""
    refused = [status for status in loaded.statuses if status != 202]
    answers = [json.loads(body) for body in loaded.bodies]
    rejected = [answer["rejected"] for answer in answers if answer.get("rejected")]
    if refused or rejected:
        raise NotAsSent(f"{len(refused)} batches refused, first status {refused[:1]}; rejected: {rejected[:1]}")
    return sum(answer["accepted"] for answer in answers)


def check_sample(desk: ServiceDesk, bodies: Sequence[bytes], before: int, count: int) -> None:
    """Read pages of the log back and find each event among those sent, no more often than sent. Raises `NotAsSent`."""
    sent = Counter(_canonical(event) for body in bodies for event in json.loads(body)["events"])
    for page in range(SAMPLE_PAGES):
        after = before + page * max(0, count - _PAGE) // SAMPLE_PAGES
        kept = Counter(_canonical(event.body) for event in islice(desk.events(after), _PAGE))
        if not kept or not kept <= sent:
            raise NotAsSent(f"the log behind position {after} holds something else than what was sent")


def _canonical(event: Any) -> str:
    if event.get("type") == "user.deleted":
        # Who is deleted is named by a hash from then on, and by no id of the sender's.
        event = {"type": event["type"], "occurred_at": event.get("occurred_at"), "data": {}}
    return json.dumps(event, sort_keys=True)
