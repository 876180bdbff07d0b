"""The figures as people and machines read them."""

import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from abuse_lab.quality.cloud import Profile
from abuse_lab.quality.measure import Figures, Share, Summary, by_pattern, measure, summarize
from abuse_lab.quality.play import Course
from abuse_lab.quality.runs import Plan, Results

RECALL_GOAL = 0.95
HURT_GOAL = 0.001
PREVENTED_GOAL = 0.5


def show(results: Results, plan: Plan, console: Console) -> None:
    """Print a table for each profile, and what the service is held to."""
    for profile, courses in results.courses.items():
        console.print(f"\n[bold]A cloud that tells what {_told(profile)}[/]")
        abusive, honest = _split(courses)
        if abusive:
            console.print(_abuse_table(abusive))
        if honest:
            console.print(_honest_table(honest))
        _show_summary(f"profile {profile}", courses, console)
    _show_summary("together", results.all, console)
    seeds = ", ".join(map(str, plan.seeds))
    console.print(f"seeds {seeds}; {results.calls:,} calls; intervals are 95 %, Wilson's, over accounts")


def told(results: Results, plan: Plan) -> dict[str, Any]:
    """Everything, for machines."""
    profiles = {}
    for profile, courses in results.courses.items():
        patterns = {
            name: {"is_abusive": some[0].account.is_abusive, **measure(some).told()}
            for name, some in by_pattern(courses).items()
        }
        profiles[profile.value] = {"patterns": patterns, **_overall(courses)}
    return {"seeds": list(plan.seeds), "calls": results.calls, "profiles": profiles, **_overall(results.all)}


def summary_line(results: Results) -> str:
    """The last line of ``--json``."""
    return json.dumps(summarize(results.all).told())


def _overall(courses: Sequence[Course]) -> dict[str, Any]:
    abusive, honest = _split(courses)
    recalls = [measure(some).caught.value for some in by_pattern(abusive).values()]
    return {
        "summary": summarize(courses).told(),
        "recall": measure(abusive).caught.told(),
        "recall_mean_of_patterns": round(sum(recalls) / len(recalls), 5) if recalls else None,
        "honest_hurt": measure(honest).hurt.told(),
        "honest_challenged": measure(honest).challenged.told(),
    }


def _split(courses: Sequence[Course]) -> tuple[list[Course], list[Course]]:
    abusive = [course for course in courses if course.account.is_abusive]
    return abusive, [course for course in courses if not course.account.is_abusive]


def _told(profile: Profile) -> str:
    return "today's tells, and obeys the action alone" if profile is Profile.TODAY else "it can, and obeys the verdict"


def _abuse_table(courses: Sequence[Course]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for heading in ("abusive pattern", "accounts", "caught", "requests", "and USD until", "USD asked", "prevented"):
        table.add_column(heading, justify="left" if heading == "abusive pattern" else "right", no_wrap=True)
    for name, some in by_pattern(courses).items():
        table.add_row(name, *_abuse_cells(measure(some)))
    table.add_section()
    table.add_row("all", *_abuse_cells(measure(courses)))
    return table


def _abuse_cells(figures: Figures) -> tuple[str, ...]:
    requests, microdollars = figures.until_requests, figures.until_microdollars
    return (
        f"{figures.accounts:,}",
        _marked(_percent(figures.caught), is_fine=figures.caught.value >= RECALL_GOAL),
        "" if requests is None else f"{requests:,.0f}",
        "" if microdollars is None else f"{microdollars / 1e6:,.2f}",
        f"{figures.asked_microdollars / 1e6:,.2f}",
        "" if figures.prevented is None else _marked(f"{figures.prevented:.0%}", figures.prevented >= PREVENTED_GOAL),
    )


def _honest_table(courses: Sequence[Course]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for heading in ("honest pattern", "accounts", "hurt", "only challenged", "USD asked"):
        table.add_column(heading, justify="left" if heading == "honest pattern" else "right", no_wrap=True)
    for name, some in by_pattern(courses).items():
        table.add_row(name, *_honest_cells(measure(some)))
    table.add_section()
    table.add_row("all", *_honest_cells(measure(courses)))
    return table


def _honest_cells(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.accounts:,}",
        _marked(_share(figures.hurt), is_fine=figures.hurt.value <= HURT_GOAL),
        _share(figures.challenged),
        f"{figures.asked_microdollars / 1e6:,.2f}",
    )


def _show_summary(name: str, courses: Sequence[Course], console: Console) -> None:
    summary: Summary = summarize(courses)
    abusive, honest = _split(courses)
    recall = _share(measure(abusive).caught)
    hurt = _share(measure(honest).hurt)
    console.print(
        f"{name}: recall {_marked(recall, summary.recall >= RECALL_GOAL)} (goal {RECALL_GOAL}), "
        f"honest hurt {_marked(hurt, summary.honest_hurt <= HURT_GOAL)} (goal {HURT_GOAL}), "
        f"spend prevented {_marked(f'{summary.spend_prevented:.1%}', summary.spend_prevented >= PREVENTED_GOAL)} "
        f"(goal {PREVENTED_GOAL:.0%})"
    )


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f}-{high:.3f})"


def _percent(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.0%}-{high:.0%})"


def _marked(text: str, is_fine: bool) -> str:
    return text if is_fine else f"[red]{text}[/]"
