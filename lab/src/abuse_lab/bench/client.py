"""``bench client``: what it costs a host to embed the client, beside the SDKs that people wire today."""

from collections.abc import Mapping

from rich import box
from rich.table import Table

from abuse_lab.bench.embedding.peers import make_environment, missing
from abuse_lab.bench.embedding.subjects import NEEDS, SUBJECTS
from abuse_lab.bench.embedding.trials import Bench, open_bench
from abuse_lab.bench.figures import Figure, Result, at_most
from abuse_lab.bench.options import Options
from abuse_lab.console import make_console

OURS, NOTHING, BARE_QUEUE, BARE_THREAD = "ours", "nothing", "bare_queue", "bare_thread"
QUEUED_BYTES = 32 * 2**20
"""The client's default bound, which the memory trial leaves as it is."""

_SHOWN = {
    "p50": "caller p50, µs",
    "p99": "caller p99, µs",
    "loop_p50": "in a loop p50, µs",
    "stall": "loop stall, ms",
    "outage": "lost in outage, of 300",
    "raised": "raised in outage",
    "exit": "lost at exit, of 1,000",
    "fork": "lost at fork, of 300",
    "memory": "200,000 waiting, MiB",
    "idle": "idle, ms a second",
}
Told = Mapping[str, float]


def measure(options: Options) -> Result:
    """Caller's cost, losses, stalls and memory of the client, and the ratio to the cheapest peer of the same run."""
    python = make_environment()
    absent = missing(python)
    present = [name for name in SUBJECTS if name not in absent and name not in (NOTHING, BARE_THREAD)]
    runs: list[dict[str, float]] = []
    table: Mapping[str, Told] = {}
    with open_bench(python) as bench:
        for number in range(options.runs):
            measured: dict[str, Told] = {OURS: _measure_all(bench, OURS, options)}
            for name in present if number % 2 == 0 else reversed(present):
                if name != OURS:
                    # What the peers lose and hold is shown once; their cost is compared in each run.
                    is_shown = number == 0 and not options.is_quick
                    measured[name] = (_measure_all if is_shown else _cost)(bench, name, options)
            idle_loop = bench.run(NOTHING, "loop", options.pick(full=20_000, quick=4000))
            runs.append(
                _figures(measured, idle_loop.told["stall_ms"] if idle_loop else 0.0) | _admitting(bench, options)
            )
            table = table or measured
    _show(table, absent)
    return Result(bench="client", is_quick=options.is_quick, figures=_as_figures(runs))


def _cost(bench: Bench, name: str, options: Options) -> dict[str, float]:
    told = bench.run(name, "cost", options.pick(full=5000, quick=500))
    return {"p50": told.told["p50_us"], "p99": told.told["p99_us"]} if told else {}


def _measure_all(bench: Bench, name: str, options: Options) -> dict[str, float]:
    found = _cost(bench, name, options)
    if trial := bench.run(name, "loop", options.pick(full=20_000, quick=4000) if name == OURS else 2000):
        found |= {"loop_p50": trial.told["p50_us"], "stall": trial.told["stall_ms"]}
    if trial := bench.run(name, "leave", 1000):
        found["exit"] = trial.lost
    if trial := bench.run(name, "fork", 300):
        found["fork"] = trial.lost
    if trial := bench.run(name, "outage", 300):
        found |= {"outage": trial.lost, "raised": trial.told["raised"]}
    if trial := bench.run(name, "idle", 2):
        found["idle"] = trial.told["cpu_ms_per_s"]
    if trial := bench.run(name, "memory", options.pick(full=200_000, quick=20_000)):
        found["memory"] = trial.told["mib"]
    return found


def _admitting(bench: Bench, options: Options) -> dict[str, float]:
    size = options.pick(full=2000, quick=200)
    guard, thread = bench.run(OURS, "admit", size), bench.run(BARE_THREAD, "admit", size)
    if guard is None or thread is None:
        return {}
    return {
        "admit_p50_us": guard.told["p50_us"],
        "admit_p99_us": guard.told["p99_us"],
        "admit_vs_bare_thread": guard.told["p50_us"] / thread.told["p50_us"],
    }


def _figures(measured: Mapping[str, Told], idle_stall_ms: float) -> dict[str, float]:
    ours = measured[OURS]
    peers = [measured[name]["p50"] for name in NEEDS if measured.get(name, {}).get("p50")]
    figures = {
        "caller_p50_us": ours["p50"],
        "caller_p99_us": ours["p99"],
        "caller_in_loop_p50_us": ours["loop_p50"],
        "lost_outage": ours["outage"],
        "lost_exit": ours["exit"],
        "lost_fork": ours["fork"],
        "loop_stall_ms": max(0.0, ours["stall"] - idle_stall_ms),
        "memory_vs_setting": ours["memory"] * 2**20 / QUEUED_BYTES,
        "caller_vs_bare_queue": ours["p50"] / measured[BARE_QUEUE]["p50"],
    }
    figures |= {"caller_vs_best_peer": ours["p50"] / min(peers)} if peers else {}
    return figures | {"idle_cpu_ms_per_s": ours["idle"]}


def _as_figures(runs: list[dict[str, float]]) -> dict[str, Figure]:
    goals = {
        "caller_p50_us": (5, "the clock: the whole call, its event made by its constructor, in bursts of 20"),
        "caller_vs_best_peer": (0.4, "the cheapest of the peers' SDKs that could be had, in the same run"),
        "lost_outage": (0, "300 events reported over a sink that is gone for 3 s"),
        "lost_exit": (0, "1,000 events reported right before the interpreter ends"),
        "lost_fork": (0, "300 events reported before a fork, by its child, by its parent"),
        "loop_stall_ms": (1, "the same loop without a client, in the same run: the longest stall beyond its own"),
        "admit_vs_bare_thread": (2, "starting a thread for the question, in the same run, at 200 requests a second"),
        "memory_vs_setting": (
            1.1,
            "max_queued_bytes (32 MiB), with 200,000 events for a sink that is not there",
        ),
    }
    figures = {}
    for name in runs[0]:
        values = tuple(run[name] for run in runs if name in run)
        if name in goals:
            bound, against = goals[name]
            figures[name] = Figure(runs=values, goal=at_most(bound), against=against)
        else:
            figures[name] = Figure(runs=values)
    return figures


def _show(measured: Mapping[str, Told], absent: Mapping[str, str]) -> None:
    console = make_console()
    table = Table(title="the first run, client by client", title_justify="left", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("")
    for name in measured:
        table.add_column(name, justify="right")
    for key, heading in _SHOWN.items():
        table.add_row(heading, *(_short(told[key]) if key in told else "-" for told in measured.values()))
    console.print(table)
    for name, reason in absent.items():
        console.print(f"not measured, {name}: {reason}")
    console.print("-: left out by --quick, or not ended within its time")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
