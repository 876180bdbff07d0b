"""A world: every pattern's scene, merged in event time. The same seed and profile give the same world, to the byte."""

import importlib
import pkgutil
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType

from abuse_lab.quality import abuse, honest
from abuse_lab.quality.actor import DAY_MS
from abuse_lab.quality.calls import World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.models import Shop
from abuse_lab.quality.scene import Abuser, Scene

_FIRST_MS = int(datetime(2025, 1, 6, tzinfo=UTC).timestamp() * 1000)
DAYS = 6


def names(package: ModuleType) -> list[str]:
    """The patterns of a package, one a module."""
    return sorted(found.name for found in pkgutil.iter_modules(package.__path__))


ABUSE = tuple(names(abuse))
HONEST = tuple(names(honest))


def build_world(seed: int, profile: Profile, patterns: Sequence[str] = (), size: float = 1.0) -> World:
    """The world of a seed, with all patterns or some.

    Neither the other patterns nor the profile change who is in a scene and what he does.
    """
    known = random.Random(f"{seed}/world")
    start_ms = _FIRST_MS + known.randrange(52) * 7 * DAY_MS
    shop = Shop(random.Random(f"{seed}/shop"))
    accounts, calls = [], []
    for name in patterns or (*ABUSE, *HONEST):
        module = importlib.import_module(f"{(abuse if name in ABUSE else honest).__name__}.{name}")
        stage: Callable[[Scene], None] = module.stage
        scene = Scene(
            pattern=name,
            rng=random.Random(f"{seed}/{name}"),
            cloud=Cloud(profile, random.Random(f"{seed}/cloud"), random.Random(f"{seed}/{name}/ids")),
            shop=shop,
            start_ms=start_ms,
            days=DAYS,
            size=size,
            abuser=getattr(module, "ABUSER", Abuser()) if name in ABUSE else None,
        )
        stage(scene)
        accounts += scene.accounts
        calls += scene.calls
    calls.sort(key=lambda call: call.at_ms)
    return World(seed=seed, accounts=accounts, calls=calls)
