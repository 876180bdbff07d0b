"""Many who act at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Value = TypeVar("Value")

WAIT_SECONDS = 30


def at_once(acts: Sequence[Callable[[], Value]]) -> list[Value]:
    """Let all act at the same moment, each in a thread, and return what came of it in their order."""
    barrier = Barrier(len(acts))

    def act(one: Callable[[], Value]) -> Value:
        barrier.wait(WAIT_SECONDS)
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))
