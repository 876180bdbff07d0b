"""What each rule of a policy earns: every world in which it had a say is played again without it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from abuse_lab.quality.measure import by_pattern, measure, summarize
from abuse_lab.quality.play import Course
from abuse_lab.quality.runs import Plan, Results, run_plan
from abuse_service.policy.policy import DEFAULT_POLICY

MOST_SHOWN = 2


@dataclass(frozen=True, kw_only=True)
class Earning:
    """What is lost without a rule: accounts caught, spend prevented, and honest accounts that it hurts."""

    rule_id: str
    has_fired: bool
    caught: int = 0
    prevented_microdollars: int = 0
    hurt: int = 0
    challenged: int = 0
    patterns: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is worse without the rule, anywhere."""
        return self.caught <= 0 and self.prevented_microdollars <= 0

    def told(self) -> dict[str, Any]:
        """As JSON says it."""
        return {
            "rule_id": self.rule_id,
            "has_fired": self.has_fired,
            "earns_caught": self.caught,
            "earns_prevented_microdollars": self.prevented_microdollars,
            "costs_hurt": self.hurt,
            "costs_challenged": self.challenged,
            "patterns": list(self.patterns),
            "is_idle": self.is_idle,
        }


def ablate(plan: Plan, whole: Results, console: Console | None = None) -> list[Earning]:
    """Drop each rule in turn. A world in which neither it nor a rule of its signal fired is not played again."""
    text: dict[str, Any] = msgspec.yaml.decode((plan.policy or DEFAULT_POLICY).read_bytes())
    fired = {
        world: {name for course in courses for name in course.rules | course.signals}
        for world, courses in whole.worlds.items()
    }
    earnings = []
    with tempfile.TemporaryDirectory(prefix="abuse-ablate-") as folder:
        for rule in text["rules"]:
            rule_id = rule["id"]
            # At a sign-in the answer names signals alone.
            worlds = [world for world, names in fired.items() if names & {rule_id, rule["signal"]}]
            if not worlds:
                earnings.append(Earning(rule_id=rule_id, has_fired=False))
                continue
            path = Path(folder) / f"{rule_id}.yaml"
            path.write_bytes(msgspec.yaml.encode(without(text, rule_id)))
            if console:
                console.print(f"without {rule_id}")
            rest = replace(whole, worlds=dict(whole.worlds))
            for profile, seed in worlds:
                alone = replace(plan, policy=path, profiles=(profile,), seeds=(seed,))
                rest.worlds |= run_plan(alone, console).worlds
            earnings.append(_compare(rule_id, whole.all, rest.all))
    return earnings


def without(text: dict[str, Any], rule_id: str) -> dict[str, Any]:
    """The policy with one rule switched off: what only it reads may stay declared."""
    return text | {"rules": [rule | ({"mode": "off"} if rule["id"] == rule_id else {}) for rule in text["rules"]]}


def _compare(rule_id: str, whole: Sequence[Course], rest: Sequence[Course]) -> Earning:
    before, after = _counts(whole), _counts(rest)
    lost = {
        name: measure(some).caught.hits - measure(by_pattern(rest)[name]).caught.hits
        for name, some in by_pattern([course for course in whole if course.account.is_abusive]).items()
    }
    worst = sorted((name for name in lost if lost[name] > 0), key=lambda name: -lost[name])
    return Earning(
        rule_id=rule_id,
        has_fired=True,
        caught=before[0] - after[0],
        prevented_microdollars=after[1] - before[1],
        hurt=before[2] - after[2],
        challenged=before[3] - after[3],
        patterns=tuple(worst),
    )


def _counts(courses: Sequence[Course]) -> tuple[int, int, int, int]:
    abusive = measure([course for course in courses if course.account.is_abusive])
    honest = measure([course for course in courses if not course.account.is_abusive])
    return abusive.caught.hits, abusive.spent_microdollars, honest.hurt.hits, honest.challenged.hits


def show_earnings(earnings: Sequence[Earning], whole: Results, console: Console) -> None:
    """Print what each rule earned and what it cost."""
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    for heading in ("rule", "caught", "USD prevented", "hurt", "challenged", "mostly"):
        table.add_column(
            heading, justify="left" if heading in ("rule", "mostly") else "right", no_wrap=heading == "rule"
        )
    for earning in earnings:
        name = f"[red]{earning.rule_id}[/]" if earning.is_idle else earning.rule_id
        table.add_row(
            name,
            f"{earning.caught:+,}",
            f"{earning.prevented_microdollars / 1e6:+,.2f}",
            f"{earning.hurt:+,}",
            f"{earning.challenged:+,}",
            _remark(earning),
        )
    console.print(table)
    console.print("each figure: how much more of it there is with the rule than without")
    console.print(f"with all rules: {summarize(whole.all).told()}")


def _remark(earning: Earning) -> str:
    if not earning.has_fired:
        return "never fired"
    return "earns nothing" if earning.is_idle else ", ".join(earning.patterns[:MOST_SHOWN])
