"""The largest value that a feature can have, where its aggregate knows one (ADR 0012)."""

from abuse_service.features.declaration import Aggregate, Declaration, Entity
from abuse_service.features.distinct import MOST_DISTINCT
from abuse_service.features.rows import MOST_ROWS


def largest_value(said: Declaration) -> float | None:
    """No value of the feature lies above this; ``None`` where there is no such bound.

    A cluster's count is the sum of its members', so it is taken for unbounded.
    """
    if said.aggregate is Aggregate.RATIO:
        return 1.0
    if said.approximate is not None:
        return None
    if said.aggregate is Aggregate.DISTINCT:
        return MOST_DISTINCT
    if said.window_ms is None or said.entity is Entity.CLUSTER:
        return None
    if said.aggregate is Aggregate.COUNT:
        return MOST_ROWS
    return MOST_ROWS * 1000 / said.window_ms if said.aggregate is Aggregate.RATE else None
