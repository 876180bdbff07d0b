"""Images of the states, taken while the service runs, so that a start need not tell the whole story again."""

import asyncio
import time
from collections.abc import Callable

from abuse_service.decisions.standing import Standing
from abuse_service.errors import StorageUnavailable
from abuse_service.events.log import EventLog
from abuse_service.features.projection import Projection
from abuse_service.replay.snapshot import Snapshot, Snapshots
from abuse_service.settings import Settings
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 0.05
_PAUSE_SECONDS = 2.0
"""Pause after a snapshot that found no room: packing for nothing would slow the answers."""
_PACK_AT_ONCE = 40
"""States packed between two requests: a fraction of a millisecond."""


class SnapshotKeeper:
    """Takes an image when enough was folded or enough time went by, and keeps memory within its bound."""

    def __init__(
        self,
        *,
        settings: Settings,
        event_log: EventLog,
        snapshots: Snapshots,
        projection: Projection,
        metrics: Metrics,
        is_enforced: Callable[[], bool],
        standing: Standing,
        policies: Callable[[], tuple[int, ...]],
    ) -> None:
        self._settings = settings
        self._event_log = event_log
        self._snapshots = snapshots
        self._projection = projection
        self._metrics = metrics
        self._is_enforced = is_enforced
        self._standing = standing
        self._policies = policies
        self._folded = 0
        self._lost = {"dropped": 0, "expired": 0}
        self._taken_at = time.monotonic()
        self._taking = asyncio.Lock()

    def note_folded(self, events: int) -> None:
        """Count events that the next image will hold."""
        self._folded += events

    async def keep(self) -> None:
        """Take images for as long as the service runs."""
        states = self._projection.states
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            states.trim()
            states.tidy()
            self._metrics.position.set(self._event_log.last_position)
            self._metrics.hot_states.set(states.hot)
            self._metrics.guarded_rules.set(len(self._standing.guarded))
            self._count_reservations()
            is_due = time.monotonic() - self._taken_at >= self._settings.snapshot_seconds
            is_full = self._folded >= self._settings.snapshot_events or states.wants_cut
            if states.dirty and (is_due or is_full):
                await self.take()

    def _count_reservations(self) -> None:
        reservations = self._projection.reservations
        self._metrics.reservations.set(len(reservations))
        for why, count in (("dropped", reservations.dropped), ("expired", reservations.expired)):
            if count > self._lost[why]:
                self._metrics.lost_reservations.labels(why=why).inc(count - self._lost[why])
                self._lost[why] = count

    async def take(self) -> bool:
        """Bring an image of the states as they are now to disk; False on a full disk, then the old image stays."""
        async with self._taking:
            return await self._take()

    async def _take(self) -> bool:
        states = self._projection.states
        log_position, ahead = self._event_log.last_position, self._event_log.pending_requests
        snapshot = Snapshot(
            position=log_position,
            ahead=ahead,
            kept=self._projection.upkeep.sample(),
            is_enforced=self._is_enforced(),
            waiting=states.joins.waiting,
            policies=self._policies(),
            reservations=self._projection.reservations.held(),
            stood=self._standing.stood(),
            releases=states.joins.releases.sample(),
            late=tuple(self._projection.erasures.late),
        )
        states.begin_cut(log_position, ahead)
        self._folded, self._taken_at = 0, time.monotonic()
        try:
            cut = states.pack_some(_PACK_AT_ONCE)
            while cut is None:
                await asyncio.sleep(0)
                cut = states.pack_some(_PACK_AT_ONCE)
            await self._snapshots.write_snapshot(cut, snapshot)
        except StorageUnavailable:
            states.abandon_cut()
            self._metrics.degraded.labels(part="snapshot").inc()
            log.warning("no snapshot: the data directory takes no more writes")
            await asyncio.sleep(_PAUSE_SECONDS)
            return False
        except BaseException:
            states.abandon_cut()
            raise
        states.finish_cut()
        return True
