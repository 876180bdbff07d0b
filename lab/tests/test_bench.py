"""Benchmarks: the shape of what they print, and that they measure nothing that failed."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from abuse_client.contract import EVENT_CLASSES
from abuse_lab.bench.bare import bare_events_per_second
from abuse_lab.bench.catalogue import BENCHES, together
from abuse_lab.bench.figures import Figure, Result, at_least, at_most
from abuse_lab.bench.ingest import acknowledged, check_sample
from abuse_lab.bench.lives import EVENTS_A_LIFE, Lives
from abuse_lab.bench.load import load, percentile
from abuse_lab.bench.loader import Loaded
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.runs import NotAsSent, fresh_seed, interleave
from abuse_lab.desk import ServiceDesk
from abuse_lab.lane import request_bytes
from abuse_lab.service_process import ServiceNotReady, ServiceProcess, run_service

GOALS = {
    "ingest": {"durable_vs_bare": 0.5},
    "classify": {"rate_vs_noop": 0.12, "p99_vs_noop": 5},
    "start": {"seconds_1m_events": 3},
    "memory": {"bytes_per_identity": 2048},
    "features": {"updates_vs_dict": 0.2},
    "rules": {"speed_vs_best_cel": 5},
    "links": {"growth_1k_to_1m": 2},
    "client": {
        "caller_p50_us": 5,
        "caller_vs_best_peer": 0.4,
        "lost_outage": 0,
        "lost_exit": 0,
        "lost_fork": 0,
        "loop_stall_ms": 1,
        "memory_vs_setting": 1.1,
    },
    "cloud": {"added_p50_ms": 0.3, "fault_p99_vs_none": 1.1, "overhead_vs_litellm": 0.5},
    "identities": {"read_vs_sqlite": 0.5, "update_vs_sqlite": 0.5, "timeline_p99_vs_query": 3},
    "backtest": {"vs_bare_loop": 0.15, "two_cores": 1.7},
}
MAY_BE_ZERO = {"added_p50_ms", "lost_outage", "lost_exit", "lost_fork", "loop_stall_ms"}


def loaded(statuses: list[int], bodies: list[bytes]) -> Loaded:
    """What a load came to."""
    return Loaded(seconds=1.0, latencies=[0.001] * len(statuses), statuses=statuses, bodies=bodies)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHES)
def test_bench_ends_with_its_line(name: str) -> None:
    """A benchmark ends with one JSON line: medians, goals as set, and what each is measured against."""
    command = [sys.executable, "-m", "abuse_lab", "bench", name, "--quick", "--runs", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "QUICK" in ended.stdout
    line = json.loads(ended.stdout.splitlines()[-1])
    assert (line["bench"], line["quick"]) == (name, True)
    for key, figure in line["figures"].items():
        assert set(figure) == {"value", "goal", "holds", "against"}
        assert figure["value"] > 0 or key in MAY_BE_ZERO
        assert (figure["holds"] is None) == (figure["goal"] is None)
    assert {figure: line["figures"][figure]["goal"] for figure in GOALS[name]} == GOALS[name]


def test_figure_is_the_median() -> None:
    """One odd run does not move a figure, and the goal's direction counts."""
    figure = Figure(runs=(1.0, 100.0, 2.0, 3.0, 0.1), goal=at_most(3), against="x")
    assert figure.told() == {"value": 2.0, "goal": 3, "holds": True, "against": "x"}
    assert Figure(runs=(1.0,), goal=at_least(3)).told()["holds"] is False


def test_all_benches_make_one_line() -> None:
    """The line of `bench all` names each figure by its benchmark."""
    result = Result(bench="one", figures={"rate": Figure(runs=(1.0,))}, is_quick=False)
    assert list(json.loads(together([result]).line())["figures"]) == ["one.rate"]
    assert "quick" not in json.loads(result.line())


def test_subject_and_reference_take_turns() -> None:
    """Neither always has the machine first."""
    order: list[str] = []
    measures = {name: lambda name=name: float(len(order)) if order.append(name) is None else 0.0 for name in "ab"}
    interleave(0, measures)
    interleave(1, measures)
    assert order == ["a", "b", "b", "a"]


def test_mixture_holds_all_types() -> None:
    """The mixture sends all 17 types, most of them with a time or an id, and no bytes twice."""
    bodies = [*Mixture(1, 100).batches(20, 200), *Mixture(2, 100).batches(20, 200)]
    events = [event for body in bodies for event in json.loads(body)["events"]]
    assert set(Counter(event["type"] for event in events)) == set(EVENT_CLASSES)
    stamped = sum("occurred_at" in event or "event_id" in event for event in events)
    assert stamped / len(events) > 0.9
    assert len(set(bodies)) == len(bodies)


def test_only_acknowledged_events_count() -> None:
    """A refused batch or a rejected event makes no figure."""
    assert acknowledged(loaded([202, 202], [b'{"accepted":3,"rejected":[]}'] * 2)) == 6
    with pytest.raises(NotAsSent, match="1 batches refused"):
        acknowledged(loaded([202, 503], [b'{"accepted":3,"rejected":[]}', b"{}"]))
    with pytest.raises(NotAsSent, match="rejected"):
        acknowledged(loaded([202], [b'{"accepted":2,"rejected":[{"index":0}]}']))


def test_sample_must_be_what_was_sent(service: ServiceProcess) -> None:
    """Events that are in the log but were not sent in this run make no figure."""
    mixture = Mixture(fresh_seed(), 10)
    sent, others = list(mixture.batches(2, 50)), list(mixture.batches(1, 50))
    with ServiceDesk(service.url) as desk:
        before = desk.position()
        assert acknowledged(load(service.url, [request_bytes("/api/events", body) for body in sent], 2)) == 100
        check_sample(desk, sent, before, 100)
        with pytest.raises(NotAsSent):
            check_sample(desk, others, before, 100)


def test_load_keeps_the_order_of_answers(service: ServiceProcess) -> None:
    """Answers stand beside their requests, whichever connection carried them; a refused one is told."""
    bodies = [b"{}", b"[", b"{}", b"{}"]
    answers = load(service.url, [request_bytes("/api/usage/cost", body) for body in bodies], 3)
    assert answers.statuses == [422, 400, 422, 422]
    assert all(latency > 0 for latency in answers.latencies)


def test_life_has_twenty_events(service: ServiceProcess) -> None:
    """A plain life is twenty events, each counted once."""
    lives = Lives(fresh_seed(), 3)
    lives.live(service.url, range(3))
    with ServiceDesk(service.url) as desk:
        record = desk.identity(f"user:{lives.people.user_id(1)}").record
    assert sum(record.event_counts.values()) == EVENTS_A_LIFE == 20
    assert (record.spend.requests, record.spend.reports) == (7, 6)


def test_bare_reference_writes_all(tmp_path: Path) -> None:
    """The reference takes the same batches that the service takes."""
    assert bare_events_per_second(list(Mixture(3, 10).batches(3, 100)), tmp_path / "bare.db") > 0


def test_percentile_is_one_of_the_latencies() -> None:
    """A percentile is a latency that was measured."""
    assert percentile([0.3, 0.1, 0.2], 0.99) == 0.3
    assert percentile([0.3, 0.1, 0.2], 0.5) == 0.2


def test_service_that_can_not_start_says_why(service: ServiceProcess, tmp_path: Path) -> None:
    """A failed start shows the end of the service's log, and leaves no process behind."""
    with pytest.raises(ServiceNotReady, match="in use"):
        ServiceProcess(service.data).await_ready()
    with pytest.raises(ServiceNotReady, match="policy"), run_service(tmp_path, policy=tmp_path / "missing.yaml"):
        pass


def test_service_ends_both_ways(tmp_path: Path) -> None:
    """Stopped in order a service ends with status 0; killed, by the signal; neither lives on."""
    stopped = ServiceProcess(tmp_path).await_ready()
    assert stopped.resident_bytes() > 2**20
    assert (stopped.stop(), stopped.is_running) == (0, False)
    killed = ServiceProcess(tmp_path).await_ready()
    assert (killed.kill(), killed.is_running) == (-9, False)
