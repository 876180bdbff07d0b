"""The only place that picks implementations."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from abuse_service.console_api.audit import Audit
from abuse_service.console_api.erasures import KeptErasures
from abuse_service.console_api.reading import KeptIndex
from abuse_service.decisions.judge import Judge
from abuse_service.decisions.standing import Standing
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import UnreadableFile
from abuse_service.enrichment.network_sources import NetworkKeeper, NetworkSources
from abuse_service.errors import RefusedToStart
from abuse_service.events.entity import EntityKey, EntityNamer
from abuse_service.events.log import Quarantine
from abuse_service.features.catalog import Catalog
from abuse_service.features.projection import Projection
from abuse_service.flow import EnforcementSwitch, Flow
from abuse_service.identities.state import EntityState
from abuse_service.identities.states import States
from abuse_service.intake.auth import AuthIntake
from abuse_service.intake.batch import BatchIntake
from abuse_service.intake.classify import ClassifyIntake
from abuse_service.intake.cost import CostIntake
from abuse_service.intake.mentions import Mentions
from abuse_service.policy.policy import Policy
from abuse_service.replay.eraser import Eraser
from abuse_service.replay.fill import Filler
from abuse_service.replay.keeper import SnapshotKeeper
from abuse_service.replay.past import Past
from abuse_service.replay.pending import PendingKeeper
from abuse_service.replay.recover import Recovered, recover
from abuse_service.replay.retention import RetentionKeeper
from abuse_service.replay.retrace import Retrace
from abuse_service.settings import Settings
from abuse_service.storage.backup import back_up
from abuse_service.storage.compare import compare_images
from abuse_service.storage.directory import holds_database, read_owner
from abuse_service.storage.directory_reader import DirectoryReader
from abuse_service.storage.history import History, Line, rejects_of
from abuse_service.storage.key_file import key_file_beside
from abuse_service.storage.scratch import Scratch
from abuse_service.storage.store import SqliteStore
from abuse_service.storage.verify import Fault, Verified, verify
from abuse_service.telemetry import Metrics, log
from abuse_service.versions import Versions, choose, kept_catalog, read_book

__all__ = [
    "Fault",
    "History",
    "Line",
    "Service",
    "Verified",
    "back_up",
    "compare_rebuilt",
    "holds_database",
    "open_past",
    "read_enricher",
    "read_owner",
    "rebuild",
    "rejects_of",
    "verify",
]


class Service:
    """A whole service over one data directory: opened, recovered, ready to be started on an event loop."""

    def __init__(
        self,
        settings: Settings,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        *,
        takes_settings_policy: bool = True,
    ) -> None:
        """``now_ms`` is the clock that stamps receipts. Who only asks a question takes the policy that is in force.

        Raises `DirectoryInUse`, `RefusedToStart`, `PolicyError` or `StorageUnavailable`.
        """
        self.settings = settings
        sources = _network_sources(settings)
        seen = sources.stamps()
        enricher = read_enricher(settings)
        self.store = SqliteStore(settings.data, settings.waiting_bytes, settings.key_file)
        try:
            namer = EntityNamer(self.store.secret)
            self.namer = namer
            book = read_book(self.store, self.store.latest_snapshot())
            self._begun = choose(book, settings.policy, takes_settings=takes_settings_policy)
            policy = self._begun.policy
            self.projection = Projection(
                States(self.store, settings.hot_identities, settings.live_states),
                kept_catalog(book, policy),
                namer.tokens,
                drops_tokens=settings.erase_tokens,
            )
            self.projection.erasures.restore(self.store.erasures.known())
            self.standing = Standing(namer)
            self.recovered: Recovered = recover(
                self.store, self.store, self.projection, self.standing, now_ms=now_ms(), policies=book.positions
            )
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
            policies=lambda: book.positions,
        )
        erasures, states = self.projection.erasures, self.projection.states
        mentions = Mentions(namer, erasures.__contains__, self._members, lambda join: states.joins.owners([join]))
        self.flow = Flow(
            settings=settings,
            event_log=self.store,
            quarantine=self.store.quarantine,
            keeper=self.keeper,
            projection=self.projection,
            judge=Judge(policy, self.projection, self.standing),
            batches=BatchIntake(namer, enricher),
            auths=AuthIntake(namer, enricher),
            classifies=ClassifyIntake(namer, enricher),
            costs=CostIntake(namer),
            enricher=enricher,
            metrics=metrics,
            switch=switch,
            mentions=mentions,
            now_ms=now_ms,
        )
        self.networks = NetworkKeeper(sources, seen, enricher, metrics)
        metrics.enforcing.set(self.flow.is_enforced)
        self.kept_index: KeptIndex = self.store.kept_index
        self.kept_erasures: KeptErasures = self.store.erasures
        self.quarantine: Quarantine = self.store.quarantine
        self.audit = Audit(self.flow)
        self.versions = Versions(
            book=book,
            policy=policy,
            event_log=self.store,
            projection=self.projection,
            install=self._install,
            now_ms=now_ms,
        )
        self.filler = Filler(self.store, self.projection, metrics)
        self.pending = PendingKeeper(self.projection, metrics, self.flow.tell, now_ms, settings.pending_days)
        self.eraser = Eraser(
            event_log=self.store,
            store=self.store.erasures,
            timelines=self.store.kept_index,
            projection=self.projection,
            standing=self.standing,
            take_image=self.keeper.take,
            speaks_of_erased=mentions.speaks_of_them,
            metrics=metrics,
            now_ms=now_ms,
        )
        self.retention = RetentionKeeper(self.store, self.projection, metrics, now_ms, settings.retention_days)
        self._keeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to take writes and to keep snapshots, on the running loop."""
        self.store.start(asyncio.get_running_loop())
        if self.store.restored:
            log.warning("an older backup: later erasures are applied first", identities=len(self.store.restored))
            await self.eraser.erase_pending(self.store.restored)
        if self._begun.change is not None:
            await self.versions.record_start(self._begun.change)
        self._keeping = [asyncio.create_task(self.keeper.keep()), asyncio.create_task(self.filler.keep())]
        self._keeping.append(asyncio.create_task(self.pending.keep()))
        self._keeping.append(asyncio.create_task(self.pending.deliver()))
        self._keeping.append(asyncio.create_task(self.networks.keep()))
        self._keeping.append(asyncio.create_task(self.eraser.keep()))
        self._keeping.append(asyncio.create_task(self.retention.keep()))
        log.info(
            "ready",
            position=self.recovered.position,
            recovered_events=self.recovered.events,
            policy=self.flow.judge.policy.version,
            features_to_fill=self.projection.upkeep.filling,
            enforcing=self.flow.is_enforced,
        )
        if self.standing.guarded:
            log.warning("rules run in shadow until a person releases them", rules=sorted(self.standing.guarded))
        if not self.flow.is_enforced:
            log.warning("enforcement is off: every verdict is ALLOW; abuse-service enforcement on turns it on")

    async def stop(self) -> None:
        """Write what waits, leave an image for a quick start, and give the directory back."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        if self.projection.states.dirty:
            await self.keeper.take()
        self.store.close()

    def speaks_of(self, entity: EntityKey) -> Callable[[bytes], bool]:
        """Tells of a rejected event whether it speaks of one identity."""
        joins = self.projection.states.joins
        return Mentions(self.namer, entity.__eq__, self._members, lambda join: joins.owners([join])).speaks_of_them

    def _members(self, key: EntityKey) -> Collection[EntityKey]:
        """Who is known by an entity."""
        state = self.projection.states.peek(key)
        return state.members if isinstance(state, EntityState) else ()

    def _install(self, policy: Policy) -> None:
        self.flow.install(Judge(policy, self.projection, self.standing))


@contextmanager
def open_past(settings: Settings) -> Iterator[Past]:
    """The log of a data directory as it is at this instant, to be told once more; a service may run on it meanwhile.

    Raises `RefusedToStart`.
    """
    reader = DirectoryReader(settings.data, settings.key_file)
    namer = EntityNamer(reader.secret)

    @contextmanager
    def open_world(catalog: Catalog) -> Iterator[Retrace]:
        scratch = Scratch(reader.log, settings.data.parent)
        try:
            states = States(scratch, settings.hot_identities, settings.live_states)
            projection = Projection(states, catalog, namer.tokens, drops_tokens=settings.erase_tokens)
            yield Retrace(projection, Standing(namer), scratch)
        finally:
            scratch.close()

    try:
        yield Past(reader.log, read_book(reader.log, reader.snapshot), open_world)
    finally:
        reader.close()


async def rebuild(settings: Settings) -> Recovered:
    """Make states and indexes anew from the log alone. Cut off anywhere, the next start goes on with it.

    Raises `DirectoryInUse`, or `RefusedToStart` where the log no longer holds all that the states were made from.
    """
    store = SqliteStore(settings.data, settings.waiting_bytes, settings.key_file)
    try:
        store.discard_snapshot()
    finally:
        store.close()
    service = Service(settings, takes_settings_policy=False)
    await service.start()
    await service.stop()
    return service.recovered


async def compare_rebuilt(settings: Settings, folder: Path) -> list[Fault]:
    """What states and indexes, as they are now, say otherwise than the log alone; both are copied to ``folder`` first.

    Raises `RefusedToStart` or `StorageUnavailable`.
    """
    kept, made = folder / "kept", folder / "made"
    back_up(settings.data, kept)
    back_up(kept, made)
    key_file = settings.key_file or key_file_beside(settings.data)
    service = Service(settings.model_copy(update={"data": kept, "key_file": key_file}), takes_settings_policy=False)
    await service.start()
    await service.stop()
    await rebuild(settings.model_copy(update={"data": made, "key_file": key_file}))
    return list(compare_images(kept, made, service.projection.catalog.keys))


def read_enricher(settings: Settings) -> Enricher:
    """The offline data as the settings name them. Raises `RefusedToStart` for a file that does not hold together."""
    try:
        return Enricher(_network_sources(settings).read(), settings.trusted_proxies)
    except (OSError, UnreadableFile) as error:
        raise RefusedToStart(f"can't read hosting_networks or network_files: {error}") from None


def _network_sources(settings: Settings) -> NetworkSources:
    return NetworkSources(settings.hosting_networks, settings.network_files)
