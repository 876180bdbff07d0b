"""Decisions on requests and accounts: made from memory, recorded, counted.

On the event loop's thread, like all of `abuse_service.flow`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload
from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.decisions.estimate import Estimator
from abuse_service.decisions.guard import Guard
from abuse_service.decisions.judge import Judge
from abuse_service.errors import StorageUnavailable
from abuse_service.events.content import content_of
from abuse_service.events.event import ACCOUNT_JUDGED, OWN_SOURCE, Event, Facts
from abuse_service.events.log import EventLog
from abuse_service.features.projection import Projection
from abuse_service.intake.auth import AuthReading
from abuse_service.intake.classify import Question
from abuse_service.replay.keeper import SnapshotKeeper
from abuse_service.replay.retell import note_decision
from abuse_service.telemetry import Metrics, log

_encode = msgspec.json.Encoder().encode
_decision = msgspec.json.Decoder(Decision).decode
_MOST_RECENT = 5_000
"""Requests remembered in memory: those whose records are on their way to the log, and as many again for speed."""


class Decider:
    """Decides, and leaves behind what a decision leaves: its record, its reservation, an alarm of the guard's."""

    def __init__(
        self,
        *,
        event_log: EventLog,
        keeper: SnapshotKeeper,
        projection: Projection,
        judge: Judge,
        metrics: Metrics,
        is_enforced: Callable[[], bool],
    ) -> None:
        self.judge = judge
        self._event_log = event_log
        self._keeper = keeper
        self._projection = projection
        self._metrics = metrics
        self._is_enforced = is_enforced
        self._requests: dict[int, str] = {}
        self._asked: dict[bytes, bytes] = {}
        self._estimator = Estimator(judge.policy)
        self._guard = Guard(judge.standing)

    def decide(self, question: Question) -> Decision | None:
        """Fold the request and decide on it; ``None`` when its record could not be kept or no id can be had."""
        if question.event_key and (known := self._find_asked(question)) is not None:
            return known
        request_id = self._event_log.next_request_id() if self._event_log.has_room else 0
        if not request_id:
            self._metrics.degraded.labels(part="log").inc()
            return None
        event = question.answered(request_id, None)
        kept = self._projection.clean(event)
        self._projection.apply(0, kept, question.payload if kept is event else content_of(kept))
        self._keeper.note_folded(1)
        decision = self._judge(event, request_id, question.payload, question.facts, question.entities)
        if decision is None:
            return None
        decision = self._promise(decision, question)
        outcome = _encode(decision)
        self._record(self._projection.clean(question.answered(request_id, outcome)))
        note_decision(self._projection, question.identity_entity, decision)
        self._remember(self._requests, request_id, decision.identity_key)
        if question.event_key:
            self._remember(self._asked, question.event_key, outcome)
        self._metrics.count_event(event.type).inc()
        self._count_decision(decision)
        return decision

    def _record(self, event: Event) -> None:
        """Bring a decision to the log; where it stands there is told once it is durable."""
        self._event_log.record(event, lambda told: self._projection.note_position(told.positions[0], event))

    def _promise(self, decision: Decision, question: Question) -> Decision:
        """The decision with what its request may cost until that is reported."""
        state = self._projection.identity(question.identity_entity)
        if self._estimator.policy is not self.judge.policy:
            self._estimator = Estimator(self.judge.policy)
        if state is None:
            return decision
        return self._estimator.promise(decision, question.payload, question.prompt_bytes, state.record.spend)

    def _count_decision(self, decision: Decision) -> None:
        self._metrics.count_decision(decision.verdict).inc()
        for part in decision.degraded:
            self._metrics.degraded.labels(part=part).inc()
        for outcome in decision.rules:
            if outcome.state is RuleState.ABSTAINED:
                self._metrics.abstained.labels(rule=outcome.rule_id).inc()

    def judge_account(self, reading: AuthReading, *, is_new: bool) -> Decision:
        """The decision on an account that just signed up or in; recorded unless the event was a repeat."""
        event = reading.event
        request_id = self._event_log.next_request_id() if is_new and self._event_log.has_room else 0
        decision = self._judge(event, request_id, ClassifyPayload(), event.facts or Facts(), event.entities)
        if decision is None:
            raise StorageUnavailable("the account's state can't be read")
        if request_id:
            body = _encode({"event_type": reading.payload.event_type})
            judged = Event(
                type=ACCOUNT_JUDGED,
                source=OWN_SOURCE,
                occurred_at_ms=event.occurred_at_ms,
                received_at_ms=event.received_at_ms,
                body=body,
                identity=event.identity,
                identity_entity=event.identity_entity,
                outcome=_encode(decision),
                request_id=request_id,
            )
            self._record(self._projection.clean(judged))
            note_decision(self._projection, event.identity_entity or b"", decision)
            self._count_decision(decision)
        return decision

    def _judge(
        self, event: Event, request_id: int, payload: ClassifyPayload, facts: Facts, entities: tuple[bytes, ...]
    ) -> Decision | None:
        entity = event.identity_entity or b""
        state = self._projection.identity(entity)
        if state is None:
            return None
        decision = self.judge.decide(
            request_id=request_id,
            entity=entity,
            state=state,
            entities=entities,
            at_ms=event.occurred_at_ms,
            position=self._event_log.last_position,
            request=payload,
            facts=facts,
            is_enforced=self._is_enforced(),
        )
        for guarded in self._guard.watch(self.judge.policy, entity, state, decision, self._projection.ended):
            self._raise_alarm(guarded)
        return decision

    def _raise_alarm(self, guarded: Event) -> None:
        self._event_log.record(guarded)
        self._metrics.guard_trips.inc()
        said = msgspec.json.decode(guarded.body)
        log.error(
            "a rule hit many paying accounts: it runs in shadow until a person releases it",
            rule=said["rule_id"],
            paying_accounts=said["paying_accounts"],
            window=said["window"],
            release=f"abuse-service policy release {said['rule_id']}",
        )

    def _find_asked(self, question: Question) -> Decision | None:
        """The decision on an earlier copy of this request."""
        outcome = self._asked.get(question.event_key)
        if outcome is None and (stored := self._event_log.find_event(question.event_key)) is not None:
            outcome = stored.event.outcome
        if outcome is None:
            return None
        self._metrics.duplicates.inc()
        return _decision(outcome)

    def classified_as(self, request_id: int) -> str | None:
        """The key of the identity that this request was decided for."""
        known = self._requests.get(request_id)
        if known is None and (stored := self._event_log.find_request(request_id)) is not None:
            known = stored.event.identity
        return known

    def _remember(self, recent: dict[Any, Any], key: Any, value: Any) -> None:
        recent[key] = value
        if len(recent) > _MOST_RECENT:
            del recent[next(iter(recent))]
