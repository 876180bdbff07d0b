"""Erasing, while the service runs: an identity's events, its record, and what was said of it elsewhere (0023).

A round takes some erasures, one after the other in slices between two requests. Cut off anywhere it is begun again and
comes to the same, for to scrub twice changes nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from abuse_service.decisions.standing import Standing
from abuse_service.errors import StorageUnavailable
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import LIST_CHANGED, Event
from abuse_service.events.log import EventLog
from abuse_service.events.scrub import name_erased
from abuse_service.features.projection import Projection
from abuse_service.identities.effacing import efface
from abuse_service.identities.erasure import Erasure, Refold
from abuse_service.identities.state import EntityState, IdentityState
from abuse_service.identities.timeline import NOBODY, Entry, KeptTimelines, Wish, place_of, read_timeline
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 5.0
_SLICE_SECONDS = 0.002
_EVENTS_AT_ONCE = 50
_REJECTED_AT_ONCE = 100
_MOST_IN_ROUND = 2_000
_OWN_LETTERS = frozenset(
    kind.value for kind in (EntityKind.DEVICE, EntityKind.CARD, EntityKind.MAILBOX, EntityKind.CUSTOMER, EntityKind.IP)
)
"""Kinds of entity that are a person's own as long as nobody else was seen with them."""


class ErasureStore(Protocol):
    """What erasing needs of the disk. Everything that writes raises `StorageUnavailable`."""

    async def note(self, erasures: Collection[Erasure]) -> None:
        """Note them apart from the data, so that an older backup has them carried out again."""
        ...

    def holds_state(self, entity: EntityKey) -> bool:
        """Whether the image knows an identity."""
        ...

    async def replace(self, scrubbed: Mapping[int, Event]) -> None:
        """Put events in the place of those of the log, by position."""
        ...

    def rejected_behind(self, rejected_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Rejected events, open and closed, behind an id: ids and bodies."""
        ...

    async def blank_rejected(self, rejected_ids: Collection[int]) -> None:
        """Take what rejected events said."""
        ...

    async def clean(self, entities: Iterable[EntityKey]) -> None:
        """Leave nothing in free space of what the states of these and the log said."""
        ...

    async def finish(self, entities: Collection[EntityKey], at_ms: int) -> None:
        """Note that these are done."""
        ...


class Eraser:
    """Carries out the erasures that were asked for."""

    def __init__(
        self,
        *,
        event_log: EventLog,
        store: ErasureStore,
        timelines: KeptTimelines,
        projection: Projection,
        standing: Standing,
        take_image: Callable[[], Awaitable[bool]],
        speaks_of_erased: Callable[[bytes], bool],
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        """``take_image`` brings the states to disk as they are; ``speaks_of_erased`` looks into an event."""
        self._event_log = event_log
        self._store = store
        self._timelines = timelines
        self._projection = projection
        self._standing = standing
        self._take_image = take_image
        self._speaks_of_erased = speaks_of_erased
        self._metrics = metrics
        self._now_ms = now_ms
        self._round = asyncio.Lock()

    async def keep(self) -> None:
        """Erase whomever is to be erased, for as long as the service runs."""
        while True:
            self.count()
            try:
                await self.erase_pending()
            except StorageUnavailable:
                log.warning("erasures wait: the data directory takes no more writes")
                await asyncio.sleep(_AGAIN_SECONDS)
            except Exception:
                log.exception("erasing failed, it is tried again")
                await asyncio.sleep(_AGAIN_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)

    def count(self) -> None:
        """Say how many erasures are in progress, and since when."""
        pending = self._projection.erasures.pending
        since_ms = min((one.requested_at_ms for one in pending.values()), default=None)
        self._metrics.erasures.set(len(pending))
        self._metrics.erasure_seconds.set(0 if since_ms is None else max(0, self._now_ms() - since_ms) / 1000)

    async def erase_pending(self, only: Collection[EntityKey] | None = None) -> None:
        """Erase those that wait, or some of them; returns when nothing of them is left. Raises `StorageUnavailable`."""
        async with self._round:
            pending = self._projection.erasures.pending
            while some := [one for one in pending.values() if only is None or one.entity in only][:_MOST_IN_ROUND]:
                await self._erase(some)
        self.count()

    async def _erase(self, erasures: Sequence[Erasure]) -> None:
        begun = time.monotonic()
        await self._store.note(erasures)
        entities = [one.entity for one in erasures]
        late = self._projection.erasures.late
        late_before = {entity: late.get(entity) for entity in entities}
        has_changed = await self._blank_rejected()
        scrubbing = Scrubbing(self._store)
        events = await self._scrub_all(entities, scrubbing)
        if has_changed or scrubbing.has_changed or scrubbing.kept:
            if not await self._take_image():
                raise StorageUnavailable
            await self._store.clean(scrubbing.kept)
        await self._store.finish(entities, self._now_ms())
        for entity in entities:
            self._projection.erasures.finish(entity, late_before[entity])
        log.info("erased", identities=len(entities), events=events, seconds=round(time.monotonic() - begun, 2))

    async def _scrub_all(self, entities: Sequence[EntityKey], scrubbing: "Scrubbing") -> int:
        """Scrub the events of identities, and fold their records anew from them; how many events there were."""
        erasures, event_log, events = self._projection.erasures, self._event_log, 0
        position, ahead = event_log.last_position, event_log.pending_requests
        refolds = {entity: erasures.begin(entity, position, ahead) for entity in entities}
        try:
            # What was folded before this moment is durable then, and known by its position.
            await event_log.settle()
            for entity, refold in refolds.items():
                if self._store.holds_state(entity):
                    scrubbing.kept.append(entity)
                events += await self._walk(entity, entity, refold, scrubbing)
                for own in self.own_entities(entity):
                    await self._walk(own, entity, None, scrubbing)
                self._settle(entity, refold)
            events += await self._scrub_nobodys(scrubbing)
            await scrubbing.flush()
        except BaseException:
            for entity in entities:
                erasures.abandon(entity)
            raise
        return events

    def _settle(self, entity: EntityKey, refold: Refold) -> None:
        """Let the record that was folded anew take the old one's place."""
        erasures, state = self._projection.erasures, self._projection.states.edit(entity)
        if isinstance(state, IdentityState):
            if refold.is_partial:
                efface(state.record, erasures.scrubber.tokens)
            else:
                state.record = refold.record
            state.key = name_erased(state.key or "user:", entity) or ""
            if erasures.scrubber.drops_tokens:
                _drop_links(state)
        erasures.settle(entity)

    async def _walk(self, key: EntityKey, entity: EntityKey, refold: Refold | None, scrubbing: "Scrubbing") -> int:
        """Go through what is noted under a key; how many events there are."""
        events = 0
        async for entries in self._pages(key, scrubbing):
            self._scrub(entries, entity, refold, scrubbing)
            events += len(entries)
        return events

    async def _scrub_nobodys(self, scrubbing: "Scrubbing") -> int:
        """Scrub what names nobody, is nobody's by an id, and speaks of somebody who is erased; how many there are."""
        scrubber, owners_of, events = self._projection.erasures.scrubber, self._projection.states.joins.owners, 0
        async for entries in self._pages(NOBODY, scrubbing):
            for stored in self._event_log.find_all([place_of(entry)[1] for entry in entries]):
                event = stored.event
                if not owners_of(event.joins) and self._speaks_of_erased(event.body):
                    scrubbing.add(stored.position, scrubber.scrub(event))
                    events += 1
        return events

    async def _pages(self, key: EntityKey, scrubbing: "Scrubbing") -> AsyncIterator[Sequence[Entry]]:
        """What is noted under a key, newest first, with pauses in which requests are answered."""
        recent, before = self._projection.states.recent, None
        while True:
            wish = Wish(before=before, most=_EVENTS_AT_ONCE)
            page = read_timeline(recent.entries(key), self._timelines, key, wish)
            yield page.entries
            before = page.before
            await scrubbing.pause()
            if before is None:
                return

    def _scrub(
        self, entries: Sequence[Entry], entity: EntityKey, refold: Refold | None, scrubbing: "Scrubbing"
    ) -> None:
        scrubber = self._projection.erasures.scrubber
        found = self._event_log.find_all([place_of(entry)[1] for entry in entries])
        if refold is not None and len(found) < len(entries):
            refold.is_partial = True
        for stored in found:
            position, event = stored.position, stored.event
            is_list = event.type == LIST_CHANGED
            if is_list:
                self._standing.forget(position, event)
            elif refold is not None:
                refold.take_old(position, event)
            if is_list or (refold is not None and self._is_theirs_alone(event, entity)):
                clean = scrubber.scrub(event)
                if clean != event:
                    scrubbing.add(position, clean)

    def _is_theirs_alone(self, event: Event, entity: EntityKey) -> bool:
        """Whether an event is about this identity, or names nobody and only erased ones claim its ids."""
        if event.identity_entity is not None:
            return event.identity_entity == entity
        owners = self._projection.states.joins.owners(event.joins)
        return all(owner in self._projection.erasures for owner in owners)

    def own_entities(self, entity: EntityKey) -> list[EntityKey]:
        """Devices, cards, mailboxes, customers and addresses that nobody else was seen with."""
        state = self._projection.identity(entity)
        if state is None:
            return []
        keys = [key for key in (*state.strong, *state.weak) if key[:1] in _OWN_LETTERS]
        found = ((key, self._projection.states.peek(key)) for key in keys)
        return [key for key, other in found if isinstance(other, EntityState) and other.members.keys() <= {entity}]

    async def _blank_rejected(self) -> bool:
        """Take what rejected events said of those who are erased; whether there were any."""
        behind, has_found = 0, False
        while rows := self._store.rejected_behind(behind, _REJECTED_AT_ONCE):
            behind = rows[-1][0]
            found = [rejected_id for rejected_id, body in rows if self._speaks_of_erased(body)]
            if found:
                await self._store.blank_rejected(found)
                has_found = True
            await asyncio.sleep(0)
        return has_found


class Scrubbing:
    """Scrubbed events on their way to disk, and the pauses in which requests are answered."""

    def __init__(self, store: ErasureStore) -> None:
        self.has_changed = False
        self.kept: list[EntityKey] = []
        """Identities whose states lie on disk, as they were."""
        self._store = store
        self._waiting: dict[int, Event] = {}
        self._until = time.monotonic() + _SLICE_SECONDS

    def add(self, position: int, event: Event) -> None:
        """Let an event take the place of the one at a position."""
        self._waiting[position] = event

    async def pause(self) -> None:
        """Write what waits once it is worth it, and let requests pass where time is up."""
        if len(self._waiting) >= _EVENTS_AT_ONCE:
            await self.flush()
        elif time.monotonic() >= self._until:
            await asyncio.sleep(_SLICE_SECONDS)
        else:
            return
        self._until = time.monotonic() + _SLICE_SECONDS

    async def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            self.has_changed = True
            await self._store.replace(waiting)


def _drop_links(state: IdentityState) -> None:
    """Forget what an identity is linked by, and what was counted of it."""
    state.strong, state.weak, state.features = {}, {}, {}
    state.shared, state.cuts, state.places = [], [], []
