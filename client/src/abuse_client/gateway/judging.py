"""What the guards for threads and for asyncio share: all but the waiting."""

import itertools
import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from abuse_client.contract import (
    Classification,
    ClassifyPayload,
    ResolvedAction,
    identity_key,
    read_object,
    to_builtins,
)
from abuse_client.drafts import Fields
from abuse_client.gateway.measures import Measure, measure_in
from abuse_client.gateway.memory import Memory
from abuse_client.gateway.passage import Answering, ReportsCosts
from abuse_client.gateway.rulings import Ruling, rule
from abuse_client.gateway.settings import GuardSettings, Mode
from abuse_client.gateway.telemetry import find_telemetry
from abuse_client.open_questions import OpenQuestions

Asked = ClassifyPayload | Mapping[str, Any]

log: logging.Logger = logging.getLogger("abuse_client.gateway")


class Question(msgspec.Struct, frozen=True):
    """What is asked about one request, and what was in force when it came."""

    number: int
    asked: ClassifyPayload
    identity_key: str
    remembered: Measure | None
    has_own_key: bool


class Starts(ReportsCosts, Protocol):
    """The part of either client that both guards need."""

    def start_classification(
        self, payload: ClassifyPayload | Fields, deadline: float = 2.0
    ) -> Future[Classification | None]:
        """Ask what to do with an LLM request, without waiting."""


class Judging:
    """Asks, remembers answers and rules on requests."""

    def __init__(self, client: Starts, settings: GuardSettings | None = None, *, memory: Memory | None = None) -> None:
        self._client = client
        self.settings: GuardSettings = settings or GuardSettings()
        self._memory = memory or Memory(self.settings.remembered_identities, self.settings.remembered_for_s)
        self._numbers = itertools.count(1)
        self._telemetry = find_telemetry()
        self._process = os.getpid()
        self._open = OpenQuestions()

    def in_force(self, identity_key: str) -> Measure | None:
        """What is remembered of an identity."""
        return self._memory.recall(identity_key)

    def _begin_afresh(self) -> None:
        """In a forked child: locks of one's own, since the old ones may be held by threads that are not there."""
        self._process = os.getpid()
        self._memory.renew_lock()
        self._open = OpenQuestions()

    def _question(self, given: Asked) -> Question:
        if self._process != os.getpid():
            self._begin_afresh()
        asked = _understood(given)
        key = identity_key(asked.kilo_user_id, asked.ip_address, asked.ja4_digest, asked.user_agent)
        has_own_key = asked.is_byok if asked.is_user_byok is None else asked.is_user_byok
        return Question(next(self._numbers), asked, key, self._memory.recall(key), bool(has_own_key))

    def _must_wait(self, question: Question) -> bool:
        if self.settings.mode is Mode.OBSERVE:
            return False
        if self.settings.always_waits:
            return True
        return question.remembered is not None and question.remembered.enforces(self.settings)

    def _start(self, question: Question, asked: Asked) -> Answering:
        """Ask without waiting, and learn from the answer when it comes."""
        answering: Answering = Future()
        open_questions = self._open
        span = self._telemetry.begin(waits=False)

        def learn(started: Future[Classification | None]) -> None:
            answer = started.result()
            span.answered(answer)
            span.end()
            try:
                self._take(question, answer, waited=False)
            finally:  # what the host's log or memory raises must not keep the cost back
                answering.set_result(answer)
                open_questions.end(answering)

        try:
            with span.current():
                started = self._client.start_classification(asked, self.settings.deadline_s)
        except Exception:  # a strict client's
            span.end()
            raise
        open_questions.begin(answering)
        started.add_done_callback(learn)
        return answering

    def _take(self, question: Question, answer: Classification | None, *, waited: bool) -> Ruling:
        """Learn from an answer and rule by it, or by what was remembered when it is silent."""
        measure = measure_in(answer)
        self._memory.learn(question.identity_key, question.number, measure)
        # Another request's answer may have come meanwhile, and have lifted what was remembered.
        in_force = measure or self._memory.recall(question.identity_key) or question.remembered
        ruling = rule(in_force, has_own_key=question.has_own_key, settings=self.settings)
        self._tell(ruling, answer)
        if waited or self.settings.mode is Mode.OBSERVE:
            self._telemetry.ruled(ruling, self.settings.mode)
        return ruling if self.settings.mode is Mode.ENFORCE else Ruling(measure=ruling.measure)

    def _unasked(self, question: Question) -> Ruling:
        """The ruling on a request that does not wait: nothing that enforces is in force."""
        ruling = Ruling(measure=question.remembered)
        if self.settings.mode is Mode.ENFORCE:
            self._telemetry.ruled(ruling, self.settings.mode)
        return ruling

    def _tell(self, ruling: Ruling, answer: Classification | None) -> None:
        # The request id leads to the whole story, and unlike the identity key it is not personal.
        if self.settings.mode is Mode.OBSERVE and not ruling.changes_nothing and ruling.measure is not None:
            log.info("observe: would %s, by the answer to request %d", ruling, ruling.measure.request_id)
        measure = measure_in(answer)
        if answer is not None and measure is not None and measure.action is ResolvedAction.LOG:
            log.info("request %d is to be logged: %s", answer.request_id, ", ".join(answer.signals) or answer.verdict)


def _understood(given: Asked) -> ClassifyPayload:
    """The facts as the service will read them: what is malformed is absent."""
    try:
        fields = to_builtins(given) if isinstance(given, ClassifyPayload) else dict(given)
        return read_object(ClassifyPayload, fields).value
    except (TypeError, ValueError):
        return ClassifyPayload()  # the client tells of it
