"""The extras: the lock has their newest versions, and the oldest that they claim are the ones that are tested."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "client/pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
APART = {"litellm"}
"""Tested in an environment of its own only: it brings a hundred packages along."""


def test_oldest_versions_are_the_lower_bounds():
    """Each lower bound of an extra is exactly what the oldest edition installs."""
    wanted = {bound.replace(">=", "==") for name, bounds in EXTRAS.items() if name not in APART for bound in bounds}
    pinned = pins("oldest.in")
    assert {as_release(one) for one in wanted} - {as_release(one) for one in pinned} == set()


def test_oldest_apart_is_the_lower_bound():
    """So is it where an extra has an environment of its own."""
    for name in APART:
        assert {bound.replace(">=", "==") for bound in EXTRAS[name]} <= pins(f"{name}-oldest.in")


def pins(name):
    return set(re.findall(r"(?m)^[a-z\[\]-]+==[\d.]+$", (ROOT / "requirements" / name).read_text("utf-8")))


def as_release(pin):
    """`stripe==10.0` and `stripe==10.0.0` are one release."""
    name, _, version = pin.partition("==")
    return name, tuple(int(part) for part in f"{version}.0.0".split(".")[:3])


def test_lock_has_every_extra():
    """What an extra needs is in the lock, so that no test of it is skipped for want of it."""
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements/dev.txt").read_text("utf-8")))
    names = {re.split("[>=]", bound)[0] for name, bounds in EXTRAS.items() if name not in APART for bound in bounds}
    assert names - locked == set()
