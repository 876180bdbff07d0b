"""The only place that picks implementations."""

import asyncio
import time
from collections.abc import Callable

from abuse_service.decisions.judge import Judge
from abuse_service.decisions.standing import Standing
from abuse_service.enrichment.atlas import read_files
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import UnreadableFile, read_ranges
from abuse_service.errors import RefusedToStart
from abuse_service.events.entity import EntityNamer
from abuse_service.features.projection import Projection
from abuse_service.flow import EnforcementSwitch, Flow
from abuse_service.identities.states import States
from abuse_service.intake.auth import AuthIntake
from abuse_service.intake.batch import BatchIntake
from abuse_service.intake.classify import ClassifyIntake
from abuse_service.intake.cost import CostIntake
from abuse_service.policy.policy import load_policy
from abuse_service.replay.keeper import SnapshotKeeper
from abuse_service.replay.recover import Recovered, recover
from abuse_service.settings import Settings
from abuse_service.storage.directory import holds_database, read_owner
from abuse_service.storage.store import SqliteStore
from abuse_service.telemetry import Metrics, log

__all__ = ["Service", "holds_database", "read_enricher", "read_owner"]


class Service:
    """A whole service over one data directory: opened, recovered, ready to be started on an event loop."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """``now_ms`` is the clock that stamps receipts.

        Raises `DirectoryInUse`, `RefusedToStart`, `PolicyError` or `StorageUnavailable`.
        """
        self.settings = settings
        policy = load_policy(settings.policy)
        enricher = read_enricher(settings)
        self.store = SqliteStore(settings.data, settings.waiting_bytes)
        try:
            namer = EntityNamer(self.store.secret)
            self.namer = namer
            self.projection = Projection(
                States(self.store, settings.hot_identities, settings.live_states), policy.catalog
            )
            self.standing = Standing(namer)
            self.recovered: Recovered = recover(self.store, self.store, self.projection, self.standing)
        except BaseException:
            self.store.close()
            raise
        said = self.recovered.is_enforced
        switch = EnforcementSwitch(True if said is None else said)
        metrics = Metrics()
        self.keeper = SnapshotKeeper(
            settings=settings,
            event_log=self.store,
            snapshots=self.store,
            projection=self.projection,
            metrics=metrics,
            is_enforced=lambda: switch.is_on,
            standing=self.standing,
        )
        self.flow = Flow(
            settings=settings,
            event_log=self.store,
            quarantine=self.store.quarantine,
            keeper=self.keeper,
            projection=self.projection,
            judge=Judge(policy, self.projection, self.standing),
            batches=BatchIntake(namer, enricher),
            auths=AuthIntake(namer, enricher),
            classifies=ClassifyIntake(namer, enricher, settings.keep_prompt_bytes),
            costs=CostIntake(namer),
            metrics=metrics,
            switch=switch,
            now_ms=now_ms,
        )
        metrics.enforcing.set(self.flow.is_enforced)
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to take writes and to keep snapshots, on the running loop."""
        self.store.start(asyncio.get_running_loop())
        self._keeping = asyncio.create_task(self.keeper.keep())
        log.info(
            "ready",
            position=self.recovered.position,
            recovered_events=self.recovered.events,
            policy=self.flow.judge.policy.version,
            enforcing=self.flow.is_enforced,
        )
        if not self.flow.is_enforced:
            log.warning("enforcement is off: every verdict is ALLOW; abuse-service enforcement on turns it on")

    async def stop(self) -> None:
        """Write what waits, leave an image for a quick start, and give the directory back."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self.projection.states.dirty:
            await self.keeper.take()
        self.store.close()


def read_enricher(settings: Settings) -> Enricher:
    """The offline data as the settings name them. Raises `RefusedToStart` for a file that does not hold together."""
    try:
        hosting = read_ranges(settings.hosting_networks)
        return Enricher(hosting, settings.trusted_proxies, read_files(settings.network_files))
    except (OSError, UnreadableFile) as error:
        raise RefusedToStart(f"can't read hosting_networks or network_files: {error}") from None
