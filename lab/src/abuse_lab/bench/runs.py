"""What all benchmarks share: fresh input a run, subject and reference in turn, no figure for what failed."""

import secrets
from collections.abc import Callable, Mapping


class NotAsSent(AssertionError):
    """the service did something else than what was to be measured"""


def fresh_seed() -> int:
    """A seed that no run had before, so that no bytes repeat."""
    return secrets.randbits(64)


def interleave(number: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Take each measure once; every other run in reverse, so that neither always has the machine first."""
    names = list(measures)
    return {name: measures[name]() for name in (names if number % 2 == 0 else reversed(names))}
