"""Whole runs: each seed and profile a world of its own, through a service of its own."""

import asyncio
import logging
import random
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from abuse_lab.quality.calls import World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.doors import open_door
from abuse_lab.quality.play import Course, Player
from abuse_lab.quality.world import ABUSE, HONEST, build_world

TUNING_SEEDS = (1, 2, 3, 4, 5)
"""For whoever tunes a policy."""
JUDGEMENT_SEEDS = (401, 402, 403, 404, 405)
"""For its figures. Nobody looks at these while tuning."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to play."""

    seeds: tuple[int, ...] = JUDGEMENT_SEEDS
    profiles: tuple[Profile, ...] = (Profile.TODAY, Profile.RICH)
    patterns: tuple[str, ...] = ()
    size: float = 1.0
    policy: Path | None = None
    is_http: bool = False


@dataclass(kw_only=True)
class Results:
    """What became of all accounts, by profile and seed, and how many calls it took."""

    worlds: dict[tuple[Profile, int], list[Course]] = field(default_factory=dict)
    calls: int = 0

    @property
    def courses(self) -> dict[Profile, list[Course]]:
        """The accounts of each profile."""
        found: dict[Profile, list[Course]] = {}
        for (profile, _), courses in self.worlds.items():
            found.setdefault(profile, []).extend(courses)
        return found

    @property
    def all(self) -> list[Course]:
        """The accounts of all profiles."""
        return [course for courses in self.worlds.values() for course in courses]


def plan_of(
    seeds: str, profile: str, patterns: str, *, size: float = 1.0, policy: Path | None = None, is_http: bool = False
) -> Plan:
    """A plan as the command line spells it. Raises `ValueError` that says what was expected."""
    names = tuple(name for name in patterns.split(",") if name)
    for name in names:
        if name not in (*ABUSE, *HONEST):
            raise ValueError(f"found pattern {name}, expected some of {', '.join((*ABUSE, *HONEST))}")
    if profile not in ("both", *Profile):
        raise ValueError(f"found profile {profile}, expected today, rich or both")
    profiles = tuple(Profile) if profile == "both" else (Profile(profile),)
    return Plan(
        seeds=_seeds(seeds) if seeds else JUDGEMENT_SEEDS,
        profiles=profiles,
        patterns=names,
        size=size,
        policy=policy,
        is_http=is_http,
    )


def _seeds(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ValueError(f"found seeds {text}, expected such as 1-5 or 7,9")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def run_plan(plan: Plan, console: Console | None = None) -> Results:
    """Play each seed under each profile."""
    results = Results()
    with _progress(console) as progress:
        for profile in plan.profiles:
            for seed in plan.seeds:
                world = build_world(seed, profile, plan.patterns, plan.size)
                results.worlds[profile, seed] = play_world(world, profile, plan, progress)
                results.calls += len(world.calls)
    return results


def play_world(world: World, profile: Profile, plan: Plan, progress: Progress | None = None) -> list[Course]:
    """Play one world through a fresh service."""
    task = progress.add_task(f"seed {world.seed}, {profile}", total=len(world.calls)) if progress else TaskID(0)

    def tell(calls: int) -> None:
        if progress:
            progress.update(task, completed=calls)

    async def play() -> list[Course]:
        ids = random.Random(world.seed)
        async with open_door(plan.policy, is_http=plan.is_http) as door:
            player = Player(door, profile, Cloud(profile, ids, ids))
            return list((await player.play(world, tell)).values())

    # A service in this process would tell its log between the lines of a table.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    courses = asyncio.run(play())
    if progress:
        progress.update(task, completed=len(world.calls))
    return courses


def _progress(console: Console | None) -> "Progress | nullcontext[None]":
    if console is None:
        return nullcontext()
    columns = (TextColumn("{task.description:<16}"), BarColumn(None), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeElapsedColumn(), console=console, expand=True)
