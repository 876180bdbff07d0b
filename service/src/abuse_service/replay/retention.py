"""Events that are older than an operator wants to keep: dropped, once the image on disk holds what they said (0024)."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from abuse_service.errors import StorageUnavailable
from abuse_service.features.projection import Projection
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 60.0
_PAUSE_SECONDS = 0.01
_BLOCKS_AT_ONCE = 20
_DAY_MS = 86_400_000
_NEWEST = 2**62


class AgingLog(Protocol):
    """The log, as far as its oldest part is dropped."""

    @property
    def first_position(self) -> int:
        """Position of the oldest event that is there."""
        ...

    async def drop_oldest(self, before_ms: int, most: int, held: int) -> int:
        """Drop some of the oldest blocks, none with an event behind ``held``; how many. Raises `StorageUnavailable`."""
        ...


class RetentionKeeper:
    """Drops what is too old, a few blocks between two requests."""

    def __init__(
        self,
        event_log: AgingLog,
        projection: Projection,
        metrics: Metrics,
        now_ms: Callable[[], int],
        days: float | None,
    ) -> None:
        """Without ``days`` nothing is ever dropped."""
        self._event_log = event_log
        self._projection = projection
        self._metrics = metrics
        self._now_ms = now_ms
        self._days = days

    async def keep(self) -> None:
        """Look after it for as long as the service runs."""
        while self._days is not None:
            try:
                await self.drop()
            except StorageUnavailable:
                log.warning("events that are too old can't be dropped: the disk takes no more writes")
            await asyncio.sleep(_LOOK_SECONDS)

    async def drop(self) -> int:
        """Drop all that is too old and in the image; how many blocks. Raises `StorageUnavailable`."""
        if self._days is None:
            return 0
        before_ms, dropped = self._now_ms() - int(self._days * _DAY_MS), 0
        while some := await self._event_log.drop_oldest(before_ms, _BLOCKS_AT_ONCE, self._held()):
            dropped += some
            await asyncio.sleep(_PAUSE_SECONDS)
        self._metrics.first_position.set(self._event_log.first_position)
        if dropped:
            log.info("old events were dropped", blocks=dropped, first_position=self._event_log.first_position)
        return dropped

    def _held(self) -> int:
        """Up to where nobody asks for the log any more: features that are being filled still read it."""
        return min((fill.done for fill in self._projection.upkeep.fills), default=_NEWEST)
