"""What became of rows for which there was no room: totals or extremes of steps, or of all life (ADR 0012).

A flat list of threes, oldest first: the step, its amount, its number of events. For life there is one three, which
begins with the instant of the newest event in it.
"""

import bisect
from collections.abc import Callable

from abuse_service.identities.merge import add_bounded

Steps = list[int | float]
_WIDTH = 3


class Folding:
    """How older events are folded: into steps of ``step_ms``, or with ``None`` into one for life.

    ``pick`` is ``min`` or ``max``; without it amounts are added.
    """

    def __init__(self, step_ms: int | None, pick: Callable[..., float] | None = None) -> None:
        self._step_ms = step_ms
        self._pick = pick

    def take(self, steps: Steps, at_ms: int, amount: float) -> None:
        """Fold one event in."""
        if self._step_ms is None:
            if steps:
                self._merge(steps, 0, amount)
                steps[0] = max(steps[0], at_ms)
            else:
                steps += (at_ms, amount, 1)
            return
        step = at_ms // self._step_ms
        if not steps or steps[-_WIDTH] < step:
            steps += (step, amount, 1)
            return
        number = len(steps) // _WIDTH
        place = number - 1
        if steps[-_WIDTH] != step:
            place = bisect.bisect_left(range(number), step, key=lambda index: int(steps[index * _WIDTH]))
        if steps[place * _WIDTH] == step:
            self._merge(steps, place * _WIDTH, amount)
        else:
            steps[place * _WIDTH : place * _WIDTH] = (step, amount, 1)

    def _merge(self, steps: Steps, place: int, amount: float) -> None:
        known = steps[place + 1]
        if self._pick is not None:
            steps[place + 1] = self._pick(known, amount)
        else:
            steps[place + 1] = add_bounded(known, amount)  # type: ignore[arg-type]  # what is added is whole
        steps[place + 2] += 1

    def expire(self, steps: Steps, oldest_ms: int) -> None:
        """Forget the steps before an instant, at which a step begins."""
        if self._step_ms is None or not steps or steps[0] * self._step_ms >= oldest_ms:
            return
        end = 0
        while end < len(steps) and steps[end] * self._step_ms < oldest_ms:
            end += _WIDTH
        del steps[:end]

    def inside(self, steps: Steps, since_ms: int | None, at_ms: int, newest_ms: int) -> list[tuple[float, int]]:
        """Amount and number of the steps that lie wholly after ``since_ms`` and up to ``at_ms``.

        No event in them is later than ``newest_ms``.
        """
        if self._step_ms is None:
            return [(steps[1], int(steps[2]))] if steps[0] <= at_ms else []
        is_all_past = newest_ms <= at_ms
        found = []
        for place in range(len(steps) - _WIDTH, -1, -_WIDTH):
            begin_ms = steps[place] * self._step_ms
            if since_ms is not None and begin_ms <= since_ms:
                break
            if is_all_past or begin_ms + self._step_ms - 1 <= at_ms:
                found.append((steps[place + 1], int(steps[place + 2])))
        return found
