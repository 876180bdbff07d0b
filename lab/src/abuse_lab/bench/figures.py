"""Figures: medians of several runs, with a goal where one is set, printed for people and as one line for programs."""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table


class Goal(msgspec.Struct, frozen=True):
    """A bound that a figure should keep."""

    bound: float
    is_most: bool

    def holds(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value <= self.bound if self.is_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'at most' if self.is_most else 'at least'} {self.bound:g}"


def at_most(bound: float) -> Goal:
    """A goal that smaller values keep."""
    return Goal(bound, is_most=True)


def at_least(bound: float) -> Goal:
    """A goal that larger values keep."""
    return Goal(bound, is_most=False)


UNIT = "nothing: a figure with a unit, for the eye"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: a value a run, and what it is measured against."""

    runs: tuple[float, ...]
    against: str = UNIT
    goal: Goal | None = None

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    def told(self) -> dict[str, Any]:
        """As programs read it; without a goal, ``goal`` and ``holds`` are null."""
        return {
            "value": float(f"{self.value:.4g}"),
            "goal": self.goal.bound if self.goal else None,
            "holds": self.goal.holds(self.value) if self.goal else None,
            "against": self.against,
        }


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark found. A quick one is smaller than its figures are defined on, and says so."""

    bench: str
    figures: Mapping[str, Figure]
    is_quick: bool

    def line(self) -> str:
        """The one line for programs."""
        told: dict[str, Any] = {"bench": self.bench, "figures": {name: f.told() for name, f in self.figures.items()}}
        return json.dumps(told | ({"quick": True} if self.is_quick else {}))


def show(result: Result, console: Console) -> None:
    """Print the figures with the spread of their runs, and last the one line."""
    title = f"{result.bench}{', QUICK: smaller than its figures are defined on' if result.is_quick else ''}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("figure")
    for heading in ("median", "lowest", "highest", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("goal")
    for name, figure in result.figures.items():
        values = (figure.value, min(figure.runs), max(figure.runs))
        table.add_row(name, *map(_short, values), str(len(figure.runs)), _told_goal(figure))
    console.print(table)
    for name, figure in result.figures.items():
        if figure.goal is not None:
            console.print(f"{name}: against {figure.against}", style="dim")
    print(result.line(), flush=True)


def _told_goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return (
        f"[green]{figure.goal}, reached[/]"
        if figure.goal.holds(figure.value)
        else f"[red]{figure.goal}, not reached[/]"
    )


def gather(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """The values of each figure over all runs."""
    return {name: tuple(run[name] for run in runs) for name in runs[0]}


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
