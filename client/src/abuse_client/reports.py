"""A report as it waits: the bytes that leave, and what kind they are."""

from typing import Final

import msgspec

EVENTS_PATH: Final = "/api/events"

LASTING_KINDS: Final = frozenset(
    {
        "user.blocked",
        "user.unblocked",
        "stripe.charge.dispute.created",
        "stripe.charge.dispute.funds_withdrawn",
        "stripe.radar.early_fraud_warning.created",
    }
)
"""What is dropped last when too much waits: nobody tells it again, and an account is judged by it for good."""

OVERHEAD_BYTES: Final = 160
"""What a waiting report takes in memory beside its body."""


class Report(msgspec.Struct, gc=False):
    """One event, cost or sign-in. ``number`` is its place in the order of all reports, once it has one."""

    path: str
    kind: str
    body: bytes
    number: int = 0

    @property
    def weight(self) -> int:
        """Bytes that it takes while it waits."""
        return len(self.body) + OVERHEAD_BYTES
