"""The benchmarks by name."""

from collections.abc import Callable

from abuse_lab.bench import backtest, classify, client, cloud, features, identities, ingest, links, memory, rules, start
from abuse_lab.bench.figures import Result
from abuse_lab.bench.options import Options

BENCHES: dict[str, Callable[[Options], Result]] = {
    "ingest": ingest.measure,
    "classify": classify.measure,
    "start": start.measure,
    "memory": memory.measure,
    "features": features.measure,
    "rules": rules.measure,
    "links": links.measure,
    "client": client.measure,
    "cloud": cloud.measure,
    "identities": identities.measure,
    "backtest": backtest.measure,
}


def together(results: list[Result]) -> Result:
    """One result of all, each figure under ``BENCH.FIGURE``."""
    figures = {f"{result.bench}.{name}": figure for result in results for name, figure in result.figures.items()}
    return Result(bench="all", figures=figures, is_quick=any(result.is_quick for result in results))
