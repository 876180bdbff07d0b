"""The life of an event, step by step: intake, log, identities, features, policy, decision.

The only place that knows the order of the rooms, but for a decision's own steps, which `abuse_service.deciding` takes.
Everything here runs on the event loop's thread.
"""

import re
import time
from collections.abc import Callable

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    CostUpdate,
    EventsAnswer,
    RejectedEvent,
    parse_object,
)
from abuse_service.deciding import Decider
from abuse_service.decisions.answer import auth_answer, classification, failed_classification
from abuse_service.decisions.judge import Judge
from abuse_service.enrichment.enricher import Enricher
from abuse_service.errors import BadRequest
from abuse_service.events.content import Content, content_of
from abuse_service.events.event import ENFORCEMENT_CHANGED, OWN_SOURCE, OWN_TYPES, Event
from abuse_service.events.log import Appended, EventLog, Quarantine, Rejected
from abuse_service.features.projection import Projection
from abuse_service.intake.auth import AuthIntake
from abuse_service.intake.batch import Batch, BatchIntake
from abuse_service.intake.classify import ClassifyIntake
from abuse_service.intake.cost import CostIntake
from abuse_service.intake.mentions import Mentions
from abuse_service.intake.receipt import Receipt
from abuse_service.replay.keeper import SnapshotKeeper
from abuse_service.settings import Settings
from abuse_service.telemetry import Metrics, log

_encode = msgspec.json.Encoder().encode
_TYPE_NAME = re.compile(r"[a-z_]{1,32}(\.[a-z_]{1,32}){1,4}")


class EnforcementSwitch:
    """The one switch that turns all enforcement off, as the log last told it."""

    def __init__(self, is_on: bool) -> None:
        self.is_on = is_on


class Flow:
    """Takes what the endpoints get and answers it."""

    def __init__(
        self,
        *,
        settings: Settings,
        event_log: EventLog,
        quarantine: Quarantine,
        keeper: SnapshotKeeper,
        projection: Projection,
        judge: Judge,
        batches: BatchIntake,
        auths: AuthIntake,
        classifies: ClassifyIntake,
        costs: CostIntake,
        enricher: Enricher,
        metrics: Metrics,
        switch: EnforcementSwitch,
        mentions: Mentions,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.event_log = event_log
        self.quarantine = quarantine
        self.projection = projection
        self.metrics = metrics
        self.now_ms = now_ms
        self._settings = settings
        self._keeper = keeper
        self._batches = batches
        self._auths = auths
        self._classifies = classifies
        self._costs = costs
        self._enricher = enricher
        self._switch = switch
        self._mentions = mentions
        self._unknown_types: set[str] = set()
        self._retrying: set[int] = set()
        self._decider = Decider(
            event_log=event_log,
            keeper=keeper,
            projection=projection,
            judge=judge,
            metrics=metrics,
            is_enforced=lambda: self.is_enforced,
        )

    @property
    def judge(self) -> Judge:
        """Who decides from now on."""
        return self._decider.judge

    def install(self, judge: Judge) -> None:
        """Let another decide, from the next request on."""
        self._decider.judge = judge

    @property
    def is_enforced(self) -> bool:
        """Whether verdicts are enforced: the setting and the switch both say so."""
        return self._settings.enforce and self._switch.is_on

    @property
    def networks_version(self) -> str:
        """Names the data about networks from which the next event's facts are read."""
        return self._enricher.networks_version

    async def take_events(self, body: bytes, source: str) -> EventsAnswer:
        """Make a batch durable and count it. Raises `ContractError`, `TooLarge` or `StorageUnavailable`."""
        batch = self._batches.read(body, Receipt(self.now_ms(), source))
        return await self._take_batch(batch)

    def _clean(self, events: list[Event], contents: list[Content | None]) -> None:
        """Take the persons who were erased out of events before anything is kept, and out of what is folded."""
        projection = self.projection
        for place, event in enumerate(events):
            kept = projection.clean(event)
            if kept is event and self._is_nobodys_about_erased(event):
                kept = projection.erasures.scrubber.scrub(event)
            if kept is not event:
                events[place], contents[place] = kept, content_of(kept)

    def _is_nobodys_about_erased(self, event: Event) -> bool:
        """Whether an event names nobody, is nobody's by an id, and speaks of somebody who was erased."""
        if event.identity_entity is not None or not self.projection.erasures:
            return False
        return not self.projection.states.joins.owners(event.joins) and self._mentions.speaks_of_them(event.body)

    async def take_auth(self, body: bytes, source: str) -> bytes:
        """Make an auth event durable, count it, and answer with the account's verdict."""
        reading = self._auths.read(body, Receipt(self.now_ms(), source))
        self.metrics.malformed.inc(len(reading.malformed))
        appended = await self._take_one(reading.event, reading.payload)
        decision = self._decider.judge_account(reading, is_new=appended.positions[0] > 0)
        return _encode(auth_answer(decision, reading.event.identity))

    async def _take_one(self, event: Event, content: Content) -> Appended:
        events, contents = [event], list[Content | None]([content])
        self._clean(events, contents)
        appended = await self.event_log.append(events, then=lambda told: self._fold_appended(told, events, contents))
        self._count_appended(appended, events)
        return appended

    async def take_cost(self, body: bytes, source: str) -> CostUpdate:
        """Make a cost report durable and count it once."""
        reading = self._costs.read(body, Receipt(self.now_ms(), source), self._decider.classified_as)
        self.metrics.malformed.inc(len(reading.malformed))
        appended = await self._take_one(reading.event, reading.payload)
        is_new = appended.positions[0] > 0
        return CostUpdate(
            success=True,
            identity_key=reading.event.identity or "",
            message_id=reading.payload.message_id,
            do_updated=is_new,
            error="another cost was reported for this request and message before" if appended.conflicts else None,
        )

    async def classify(self, body: bytes, source: str, *, may_import: bool) -> bytes:
        """Decide on a request, from memory. Whatever fails inside, the answer is ALLOW with the request id 0."""
        started = time.perf_counter()
        question = self._classifies.read(body, Receipt(self.now_ms(), source), may_import=may_import)
        if question.malformed:
            self.metrics.malformed.inc(len(question.malformed))
        try:
            decision = self._decider.decide(question)
            if decision is not None and self._settings.classify_wait_for_disk and decision.request_id:
                await self.event_log.settle()
        except Exception:
            self.metrics.degraded.labels(part="classify").inc()
            log.exception("classifying failed; answered ALLOW")
            decision = None
        self.metrics.classify_seconds.observe(time.perf_counter() - started)
        if decision is None:
            return _encode(failed_classification(question.identity, is_enforced=self.is_enforced))
        return _encode(classification(decision, question.identity))

    async def retry_rejected(self, rejected_id: int, mended: bytes | None) -> EventsAnswer:
        """Drive a rejected event through intake again, mended or as it was, at its first receipt."""
        rejected = self.quarantine.find_rejected(rejected_id)
        if rejected.state != "waiting" or rejected_id in self._retrying:
            raise BadRequest("this event was driven again already, and counts once", path="rejected_id")
        if mended is not None:
            parse_object(mended)
        self._retrying.add(rejected_id)
        try:
            return await self._retry(rejected, mended)
        finally:
            self._retrying.discard(rejected_id)

    async def _retry(self, rejected: Rejected, mended: bytes | None) -> EventsAnswer:
        body = b'{"events":[' + (mended or rejected.body) + b"]}"
        batch = self._batches.read(body, Receipt(rejected.received_at_ms, rejected.source))
        if batch.rejected:
            first = batch.rejected[0]
            return EventsAnswer(accepted=0, duplicates=0, unknown_types=[], rejected=[_told(first)], conflicts=0)
        answer = await self._take_batch(batch)
        await self.quarantine.close_rejected(rejected.rejected_id, "retried")
        return answer

    async def tell(self, event: Event) -> None:
        """Make an event of ours durable; what it says stands from then on."""
        kept = self.projection.clean(event)
        appended = await self.event_log.append([kept], then=lambda told: self._take_own(told, kept))
        self._count_appended(appended, [kept])

    def record_reading(self, event: Event) -> None:
        """Bring to the log that somebody read what names persons."""
        self.event_log.record(event, lambda told: self.projection.apply(told.positions[0], event, None))

    async def tell_all(self, events: list[Event]) -> int:
        """Make events of ours durable together, each once; how many were known already."""
        kept = list(map(self.projection.clean, events))
        appended = await self.event_log.append(
            kept, then=lambda told: self._fold_appended(told, kept, [None] * len(kept))
        )
        self._count_appended(appended, kept)
        return appended.duplicates

    async def switch_enforcement(self, is_enforced: bool, reason: str, actor: str) -> None:
        """Turn all enforcement off or on; kept in the log, so it survives a restart."""
        now_ms = self.now_ms()
        body = _encode({"is_enforced": is_enforced, "reason": reason, "actor": actor})
        await self.event_log.append([Event(ENFORCEMENT_CHANGED, OWN_SOURCE, now_ms, now_ms, body)])
        self._switch.is_on = is_enforced
        self.metrics.enforcing.set(self.is_enforced)
        log.warning("enforcement switched", is_enforced=is_enforced)

    # inside

    async def _take_batch(self, batch: Batch) -> EventsAnswer:
        self._clean(batch.events, batch.contents)
        if batch.rejected and self.projection.erasures:
            batch.rejected[:] = map(self._clean_rejected, batch.rejected)
        appended = await self.event_log.append(
            batch.events, batch.rejected, then=lambda told: self._fold_appended(told, batch.events, batch.contents)
        )
        self._count_appended(appended, batch.events)
        self.metrics.rejected.inc(len(batch.rejected))
        self.metrics.malformed.inc(len(batch.malformed))
        if appended.conflicts:
            await self._keep_conflicts(batch, appended)
        for name in batch.unknown_types - self._unknown_types:
            self._unknown_types.add(name)
            # What does not look like a type may be anything, a person's name too: it is not written down.
            shown = name if _TYPE_NAME.fullmatch(name) else "not shown"
            log.info("an event type that is not known was accepted", type=shown)
        return EventsAnswer(
            accepted=len(batch.events) - appended.duplicates,
            duplicates=appended.duplicates,
            unknown_types=sorted(batch.unknown_types),
            rejected=[_told(entry) for entry in batch.rejected],
            conflicts=len(appended.conflicts),
        )

    def _clean_rejected(self, rejected: Rejected) -> Rejected:
        is_theirs = self._mentions.speaks_of_them(rejected.body)
        return msgspec.structs.replace(rejected, body=b"{}") if is_theirs else rejected

    async def _keep_conflicts(self, batch: Batch, appended: Appended) -> None:
        kept = []
        for index in appended.conflicts:
            event = self.projection.clean(batch.events[index])
            message = "an event with this id and other content was kept before"
            kept.append(
                Rejected(
                    received_at_ms=event.received_at_ms,
                    source=event.source,
                    index=batch.indexes[index],
                    path="event_id",
                    message=message,
                    body=event.body,
                )
            )
        await self.event_log.append([], kept)

    def _take_own(self, appended: Appended, event: Event) -> None:
        position = appended.positions[0]
        if position:
            self.judge.standing.take(position, event)
            self.projection.apply(position, event, None)
        self._keeper.note_folded(1)

    def _fold_appended(self, appended: Appended, events: list[Event], contents: list[Content | None]) -> None:
        apply = self.projection.apply
        for position, event, content in zip(appended.positions, events, contents, strict=True):
            if position:
                apply(position, event, content)
        self._keeper.note_folded(len(events))

    def _count_appended(self, appended: Appended, events: list[Event]) -> None:
        if appended.duplicates:
            self.metrics.duplicates.inc(appended.duplicates)
            self.metrics.conflicts.inc(len(appended.conflicts))
        counts: dict[str, int] = {}
        for position, event in zip(appended.positions, events, strict=True):
            if position:
                counts[event.type] = counts.get(event.type, 0) + 1
        for name, count in counts.items():
            self.metrics.count_event(_label(name)).inc(count)


def _told(rejected: Rejected) -> RejectedEvent:
    return RejectedEvent(index=rejected.index, path=rejected.path, message=rejected.message)


def _label(event_type: str) -> str:
    # A type that a sender made up never becomes a label.
    return event_type if event_type in EVENT_CLASSES or event_type in OWN_TYPES else "unknown"
