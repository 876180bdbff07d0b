"""The only place that picks implementations."""

import asyncio

from abuse_service.decisions.judge import Judge
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import read_ranges
from abuse_service.errors import RefusedToStart
from abuse_service.events.entity import EntityNamer
from abuse_service.features.projection import Projection
from abuse_service.flow import Flow
from abuse_service.identities.states import States
from abuse_service.intake.auth import AuthIntake
from abuse_service.intake.batch import BatchIntake
from abuse_service.intake.classify import ClassifyIntake
from abuse_service.intake.cost import CostIntake
from abuse_service.policy.policy import load_policy
from abuse_service.replay.recover import Recovered, recover
from abuse_service.settings import Settings
from abuse_service.storage.directory import read_owner
from abuse_service.storage.store import SqliteStore
from abuse_service.telemetry import Metrics, log

__all__ = ["Service", "read_owner"]


class Service:
    """A whole service over one data directory: opened, recovered, ready to be started on an event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises `DirectoryInUse`, `RefusedToStart`, `PolicyError` or `StorageUnavailable`."""
        self.settings = settings
        policy = load_policy(settings.policy)
        try:
            hosting = read_ranges(settings.hosting_networks)
        except (OSError, ValueError) as error:
            raise RefusedToStart(f"can't read hosting_networks: {error}") from None
        enricher = Enricher(hosting, settings.trusted_proxies)
        self.store = SqliteStore(settings.data, settings.waiting_bytes)
        try:
            namer = EntityNamer(self.store.secret)
            self.namer = namer
            self.projection = Projection(States(self.store, settings.hot_identities), policy.catalog)
            self.recovered: Recovered = recover(self.store, self.store, self.projection)
        except BaseException:
            self.store.close()
            raise
        said = self.recovered.is_enforced
        self.flow = Flow(
            settings=settings,
            event_log=self.store,
            quarantine=self.store,
            snapshots=self.store,
            projection=self.projection,
            judge=Judge(policy, self.projection),
            batches=BatchIntake(namer, enricher),
            auths=AuthIntake(namer, enricher),
            classifies=ClassifyIntake(namer, enricher, settings.keep_prompt_bytes),
            costs=CostIntake(namer),
            metrics=Metrics(),
            is_enforced=True if said is None else said,
        )
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to take writes and to keep snapshots, on the running loop."""
        self.store.start(asyncio.get_running_loop())
        self._keeper = asyncio.create_task(self.flow.keep_snapshots())
        log.info(
            "ready",
            position=self.recovered.position,
            recovered_events=self.recovered.events,
            policy=self.flow.judge.policy.version,
            enforcing=self.flow.is_enforced,
        )

    async def stop(self) -> None:
        """Write what waits, leave an image for a quick start, and give the directory back."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.projection.states.dirty:
            await self.flow.take_snapshot()
        self.store.close()
