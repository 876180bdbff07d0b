"""``bench classify``: how fast an LLM request is decided on, against a route of the same app that does nothing."""

import tempfile
from pathlib import Path

import msgspec

from abuse_lab.bench.figures import Figure, Result, at_least, at_most, gather
from abuse_lab.bench.ingest import acknowledged
from abuse_lab.bench.load import load, percentile
from abuse_lab.bench.loader import Loaded
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_lab.lane import request_bytes
from abuse_lab.people import People
from abuse_lab.service_process import run_service

CONNECTIONS = (1, 8, 64)
JUDGED_AT = 8
USERS = 5000
HISTORY_BATCHES = 50
_NOOP = "POST /api/noop of the same app, same bodies, same run"


class _Classified(msgspec.Struct):
    request_id: int


def measure(options: Options) -> Result:
    """``rate_vs_noop`` and ``p99_vs_noop`` at 8 connections; rates and latencies at 1, 8 and 64 beside them."""
    requests = options.pick(full=10_000, quick=500)
    users = options.pick(full=USERS, quick=200)
    runs = gather([_run(requests, users, number) for number in range(options.runs)])
    figures = {
        "rate_vs_noop": Figure(
            runs=runs["rate_vs_noop"], goal=at_least(0.12), against=f"{_NOOP}, {JUDGED_AT} connections"
        ),
        "p99_vs_noop": Figure(runs=runs["p99_vs_noop"], goal=at_most(5), against=f"{_NOOP}, {JUDGED_AT} connections"),
    }
    for name, values in runs.items():
        if name not in figures:
            figures[name] = Figure(runs=values)
    return Result(bench="classify", figures=figures, is_quick=options.is_quick)


def _run(requests: int, users: int, number: int) -> dict[str, float]:
    people = People(fresh_seed(), users)
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory, run_service(Path(directory)) as service:
        give_history(service.url, people)
        for connections in CONNECTIONS:
            bodies = list(people.questions(requests if connections > 1 else requests // 3))
            routes = ["noop", "classify"] if number % 2 == 0 else ["classify", "noop"]
            for route in routes:
                loaded = load(service.url, [request_bytes(f"/api/{route}", body) for body in bodies], connections)
                check_answers(loaded, is_classified=route == "classify")
                found |= _told(f"{route}_{connections}", loaded)
    at = JUDGED_AT
    found["rate_vs_noop"] = found[f"classify_{at}_per_second"] / found[f"noop_{at}_per_second"]
    found["p99_vs_noop"] = found[f"classify_{at}_p99_ms"] / found[f"noop_{at}_p99_ms"]
    return found


def give_history(url: str, people: People) -> None:
    """Let everybody sign up, buy, belong and ask once. Raises `NotAsSent`."""
    everybody = range(people.number)
    signed_up = load(url, [request_bytes("/api/auth-event", people.sign_up(index)) for index in everybody], 16)
    if set(signed_up.statuses) != {200}:
        raise NotAsSent(f"sign-ups were answered with {sorted(set(signed_up.statuses))}")
    mixture = Mixture(fresh_seed(), [people.user_id(index) for index in everybody])
    acknowledged(load(url, [request_bytes("/api/events", body) for body in mixture.batches(HISTORY_BATCHES, 200)], 4))
    asked = load(url, [request_bytes("/api/classify", people.question(index)) for index in everybody], 16)
    check_answers(asked, is_classified=True)


def check_answers(loaded: Loaded, *, is_classified: bool) -> None:
    """Every request was answered, and every classification is one. Raises `NotAsSent`."""
    if set(loaded.statuses) != {200}:
        raise NotAsSent(f"found statuses {sorted(set(loaded.statuses))}, expected 200")
    if is_classified:
        ids = set(request_ids(loaded))
        if 0 in ids or len(ids) < len(loaded.bodies):
            raise NotAsSent("a classification failed inside the service, or two share a request id")


def request_ids(loaded: Loaded) -> list[int]:
    """The ids of the classifications, in the order of the requests."""
    decoder = msgspec.json.Decoder(_Classified)
    return [decoder.decode(body).request_id for body in loaded.bodies]


def _told(name: str, loaded: Loaded) -> dict[str, float]:
    return {
        f"{name}_per_second": len(loaded.latencies) / loaded.seconds,
        f"{name}_p50_ms": percentile(loaded.latencies, 0.5) * 1000,
        f"{name}_p99_ms": percentile(loaded.latencies, 0.99) * 1000,
    }
