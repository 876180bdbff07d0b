"""New features, filled in from the log while the service runs (ADR 0013)."""

import asyncio
import time
from collections import deque

from abuse_service.events.content import content_of
from abuse_service.events.event import Stored
from abuse_service.events.log import EventLog
from abuse_service.features.catalog import Catalog
from abuse_service.features.projection import Projection
from abuse_service.features.upkeep import Fill
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 0.05
_SLICE_SECONDS = 0.002
"""Time taken at once, and then left to requests: as long as a request may wait for a fill."""
_READ_AT_ONCE = 250
"""Events read from the log together: about half a slice."""
_AHEAD_AT_ONCE = 250
_AGAIN_SECONDS = 5.0


class Filler:
    """Takes the past into features that are new, a slice at a time between two requests."""

    def __init__(self, event_log: EventLog, projection: Projection, metrics: Metrics) -> None:
        self._event_log = event_log
        self._projection = projection
        self._metrics = metrics
        self._read: deque[Stored] = deque()
        self._catalog: tuple[object, tuple[str, ...], Catalog] | None = None

    async def keep(self) -> None:
        """Fill whatever is to be filled, for as long as the service runs."""
        states = self._projection.states
        while True:
            is_idle = not self._projection.upkeep.fills or states.wants_cut
            self._metrics.filling.set(self._projection.upkeep.filling)
            await asyncio.sleep(_LOOK_SECONDS if is_idle else _SLICE_SECONDS)
            if not is_idle:
                await self._fill_on()

    async def _fill_on(self) -> None:
        try:
            self.fill_some()
        except Exception:
            # Its rules abstain until then; the requests go on.
            log.exception("filling features failed, it is tried again")
            await asyncio.sleep(_AGAIN_SECONDS)

    def fill_some(self, seconds: float = _SLICE_SECONDS, most: int = 2**62) -> bool:
        """Take in what fits into the time, ``most`` events at most; False when nothing can be done now."""
        fills = self._projection.upkeep.fills
        if not fills:
            return False
        fill = fills[0]
        is_through = self._take_log(fill, time.monotonic() + seconds, most)
        if not is_through:
            return True
        if self._take_ahead(fill):
            names = self._names(fill)
            self._projection.upkeep.finish(fill)
            log.info("features are filled", features=names, position=fill.target)
            return True
        return False

    def _take_log(self, fill: Fill, until: float, most: int) -> bool:
        """Whether the log was taken in up to the fill's target."""
        catalog = self._narrowed(fill)
        oldest_ms = min(fill.since_ms.values())
        for _ in range(most):
            if fill.done >= fill.target:
                self._read.clear()
                return True
            stored = self._next(fill)
            if stored is None:
                fill.done = fill.target
                continue
            if stored.event.occurred_at_ms >= oldest_ms:
                self._take(fill, stored, catalog)
            fill.done = stored.position
            if time.monotonic() >= until:
                break
        return False

    def _next(self, fill: Fill) -> Stored | None:
        if not self._read or self._read[0].position != fill.done + 1:
            self._read = deque(self._event_log.read(fill.done, min(_READ_AT_ONCE, fill.target - fill.done)))
        return self._read.popleft() if self._read else None

    def _take_ahead(self, fill: Fill) -> bool:
        """Whether each request that was answered before the fill began was taken in, or is gone with its process."""
        catalog, left = self._narrowed(fill), []
        pending = frozenset(self._event_log.pending_requests)
        for request_id in fill.ahead[:_AHEAD_AT_ONCE]:
            if request_id in pending:
                left.append(request_id)
            elif (stored := self._event_log.find_request(request_id)) is not None:
                self._take(fill, stored, catalog)
        fill.ahead = fill.ahead[_AHEAD_AT_ONCE:] + tuple(left)
        return not fill.ahead

    def _take(self, fill: Fill, stored: Stored, catalog: Catalog) -> None:
        event = stored.event
        if not catalog.plan(event.type):
            return
        try:
            self._projection.fill(event, content_of(event), catalog, fill)
        except Exception:
            log.exception("an event can't be filled in, it is left out", position=stored.position)

    def _narrowed(self, fill: Fill) -> Catalog:
        """The catalog of the fill's features alone."""
        every, bases = self._projection.catalog, tuple(fill.since_ms)
        if self._catalog is None or self._catalog[0] is not every or self._catalog[1] != bases:
            self._catalog = (every, bases, every.only(bases))
        return self._catalog[2]

    def _names(self, fill: Fill) -> list[str]:
        features = self._projection.catalog.features
        return sorted(name for name, feature in features.items() if feature.base in fill.since_ms)
