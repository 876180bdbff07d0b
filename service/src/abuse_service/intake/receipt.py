"""Who sent something and when it came."""

import msgspec

from abuse_service.events.event import FUTURE_TOLERANCE_MS


class Receipt(msgspec.Struct, frozen=True):
    """One request's receipt: its instant, epoch milliseconds, and the sender's name."""

    received_at_ms: int
    source: str

    def occurred_at_ms(self, claimed: int | None) -> int:
        """The event time: what the sender claims, never later than receipt and 5 minutes; receipt without a claim."""
        if claimed is None:
            return self.received_at_ms
        return min(claimed, self.received_at_ms + FUTURE_TOLERANCE_MS)
