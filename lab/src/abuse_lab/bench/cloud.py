"""``bench cloud``: what the abuse path adds to a request through the cloud's gateway, and what its faults do to it."""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import uvloop

from abuse_lab.bench.embedding.peers import NoEnvironment, make_environment
from abuse_lab.bench.figures import Figure, Goal, Result, at_most, gather
from abuse_lab.bench.gateways.rounds import latencies
from abuse_lab.bench.gateways.subjects import BARE, FAULTS, LITELLM, WITH, WITHOUT, run_subjects
from abuse_lab.bench.load import percentile
from abuse_lab.bench.options import Options
from abuse_lab.console import make_console

_GOALS = {
    "added_p50_ms": (0.3, "the same gateway without an abuse service, request by request in the same run"),
    "fault_p99_vs_none": (1.1, "the same gateway without an abuse service, same run: the worst of four faults"),
    "overhead_vs_litellm": (0.5, "LiteLLM's proxy, each less the bare provider, same run"),
}


def measure(options: Options) -> Result:
    """Medians and p99 of one request after the other, a provider that takes 20 ms behind all of them."""
    rounds = options.pick(full=500, quick=20)
    console = make_console()
    litellm = None
    try:
        litellm = make_environment("litellm")
    except NoEnvironment as error:
        console.print(f"not measured, LiteLLM: {error}")
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as made, run_subjects(Path(made), litellm) as subjects:
        taken = [uvloop.run(latencies(subjects, rounds)) for _ in range(options.runs)]
    runs = gather([_run(run) for run in taken])
    return Result(bench="cloud", figures=_figures(runs), is_quick=options.is_quick)


def _run(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    p50 = {name: statistics.median(values) * 1000 for name, values in taken.items()}
    p99 = {name: percentile(values, 0.99) * 1000 for name, values in taken.items()}
    found = {"added_p50_ms": p50[WITH] - p50[WITHOUT]}
    if LITELLM in taken:
        found["overhead_vs_litellm"] = (p50[WITH] - p50[BARE]) / (p50[LITELLM] - p50[BARE])
    for fault in FAULTS:
        found[f"{fault}_p99_vs_none"] = p99[fault] / p99[WITHOUT]
        found[f"{fault}_p50_vs_none"] = p50[fault] / p50[WITHOUT]
    for name in taken:
        found |= {f"{name}_p50_ms": p50[name], f"{name}_p99_ms": p99[name]}
    return found


def _figures(runs: Mapping[str, tuple[float, ...]]) -> dict[str, Figure]:
    # Of the fault that is worst over all runs, since the worst of each run would add up the machine's bad moments.
    told = dict(runs)
    for share in ("p99", "p50"):
        told[f"fault_{share}_vs_none"] = max(
            (runs[f"{fault}_{share}_vs_none"] for fault in FAULTS), key=statistics.median
        )
    first = [name for name in _GOALS if name in told]
    figures = {}
    for name in [*first, *(name for name in told if name not in first)]:
        if name in _GOALS:
            bound, against = _GOALS[name]
            goal: Goal = at_most(bound)
            figures[name] = Figure(runs=told[name], goal=goal, against=against)
        else:
            figures[name] = Figure(runs=told[name])
    return figures
