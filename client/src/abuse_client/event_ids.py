"""Ids of reports, by which a repeated delivery counts once."""

import itertools
import uuid


class EventIds:
    """Ids that no other sender gives: random once a process, counted from there."""

    def __init__(self) -> None:
        self._prefix = uuid.uuid4().hex
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """An id that was not given before."""
        return f"{self._prefix}-{next(self._numbers):x}"
