"""Events that wait for their user: counted, and noted as expired after a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from abuse_service.errors import StorageUnavailable
from abuse_service.events.event import OWN_SOURCE, PENDING_EXPIRED, Event
from abuse_service.features.projection import Expired, Projection
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 1.0
_IDLE_SECONDS = 0.05
_SLICE_SECONDS = 0.002
"""Time taken at once to count claimed events, and then left to requests."""
_MOST_AT_ONCE = 1_000
_DAY_MS = 86_400_000


class PendingKeeper:
    """Watches what waits. An expired event waits no longer; it stays in the log, and who claims it later has it."""

    def __init__(
        self,
        projection: Projection,
        metrics: Metrics,
        tell: Callable[[Event], Awaitable[None]],
        now_ms: Callable[[], int],
        days: float,
    ) -> None:
        self._projection = projection
        self._metrics = metrics
        self._tell = tell
        self._now_ms = now_ms
        self._days = days

    async def keep(self) -> None:
        """Look after it for as long as the service runs."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.count()
            try:
                await self.expire()
            except StorageUnavailable:
                log.warning("events that wait too long can't be noted as expired: the disk takes no more writes")

    async def deliver(self) -> None:
        """Count what was claimed, a slice between two requests, for as long as the service runs."""
        while True:
            await asyncio.sleep(_SLICE_SECONDS if self._projection.is_delivering else _IDLE_SECONDS)
            until = time.monotonic() + _SLICE_SECONDS
            try:
                while self._projection.deliver_some(1) and time.monotonic() < until:
                    pass
            except Exception:
                log.exception("an event that was claimed can't be counted")

    def count(self) -> None:
        """Say how many wait, and how long."""
        joins = self._projection.states.joins
        since_ms = joins.waiting_since_ms
        self._metrics.pending.set(joins.waiting_count)
        self._metrics.pending_seconds.set(0 if since_ms is None else max(0, self._now_ms() - since_ms) / 1000)

    async def expire(self) -> int:
        """Note those that waited too long, a thousand at most; how many. Raises `StorageUnavailable`."""
        now_ms = self._now_ms()
        positions = self._projection.states.joins.received_before(now_ms - int(self._days * _DAY_MS), _MOST_AT_ONCE)
        if positions:
            body = msgspec.json.encode(Expired(positions, self._days))
            await self._tell(Event(PENDING_EXPIRED, OWN_SOURCE, now_ms, now_ms, body))
            log.warning("nobody claimed Stripe events in time", events=len(positions), days=self._days)
        return len(positions)
