"""Labelled traffic through the real service: what is caught, how early, and who is hurt."""

import json

from rich.console import Console

from abuse_lab.console import WIDTH, make_console
from abuse_lab.quality.ablate import ablate, show_earnings
from abuse_lab.quality.report import show, summary_line, told
from abuse_lab.quality.runs import JUDGEMENT_SEEDS, TUNING_SEEDS, Plan, run_plan

__all__ = ["JUDGEMENT_SEEDS", "TUNING_SEEDS", "Plan", "judge_policy"]


def judge_policy(plan: Plan, *, is_json: bool = False, ablates: bool = False) -> None:
    """Play the plan and print the figures; as JSON a line of everything, then a last line with the three that count."""
    # Machines read what comes on standard output; people see the progress all the same.
    progress = Console(stderr=True, width=WIDTH) if is_json else make_console()
    results = run_plan(plan, progress)
    earnings = ablate(plan, results, progress) if ablates else None
    if is_json:
        everything = told(results, plan)
        if earnings is not None:
            everything["rules"] = [earning.told() for earning in earnings]
        print(json.dumps(everything))
        print(summary_line(results))
        return
    show(results, plan, progress)
    if earnings is not None:
        show_earnings(earnings, results, progress)
