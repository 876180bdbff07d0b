"""The guard for threads: Flask, Django, plain WSGI, workers."""

import contextvars
import threading
import time
from concurrent.futures import Future
from typing import Protocol

from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import Fields
from abuse_client.gateway.judging import Asked, Judging, Question, log
from abuse_client.gateway.memory import Memory
from abuse_client.gateway.passage import Answering, Passage, ReportsCosts
from abuse_client.gateway.settings import GuardSettings


class Asks(ReportsCosts, Protocol):
    """The part of `abuse_client.AbuseClient` that a guard needs."""

    def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Ask what to do with an LLM request."""


class Guard(Judging):
    """Decides about each request before it is served, and adds no time to those of honest users.

    It asks without waiting, remembers the last action of each identity, and waits for the answer only where what it
    remembers is an enforcing one. When that wait fails, what is remembered holds. Threads may share it; idle it has no
    thread of its own.
    """

    def __init__(self, client: Asks, settings: GuardSettings | None = None, *, memory: Memory | None = None) -> None:
        super().__init__(settings, memory=memory)
        self._client = client
        self._open_questions = _OpenQuestions(self.settings.max_questions)

    def admit(self, asked: Asked, *, lingers: bool = True) -> Passage:
        """Judge a request; where it is to be slowed down, return only after the wait (unless ``lingers`` is false).

        Raises what a strict client raises, if the request waits for its answer; otherwise that is logged.
        """
        question = self._question(asked)
        if self._must_wait(question):
            answering: Answering = Future()
            answer = self._ask(asked, waits=True)
            ruling = self._take(question, answer, waited=True)
            answering.set_result(answer)
        else:
            answering, ruling = self._ask_in_background(question, asked), self._unasked(question)
        if lingers and ruling.wait_s:
            time.sleep(ruling.wait_s)
        return Passage(self._client, question.asked, question.identity_key, ruling, answering)

    def flush(self, timeout: float) -> bool:
        """Wait until every question is answered and the costs that wait for that are handed to the client.

        ``False`` when that took longer than ``timeout``. Call it before the client's own `flush` at an orderly end.
        """
        return self._open_questions.wait_for_none(timeout)

    def _begin_afresh(self) -> None:
        super()._begin_afresh()
        self._open_questions = _OpenQuestions(self.settings.max_questions)

    def _ask(self, asked: Asked, *, waits: bool) -> Classification | None:
        with self._telemetry.question(waits=waits) as span:
            answer = self._client.classify_request(asked, self.settings.deadline_s)
            span.answered(answer)
            return answer

    def _ask_in_background(self, question: Question, asked: Asked) -> Answering:
        answering: Answering = Future()
        open_questions = self._open_questions

        def ask() -> None:
            try:
                answer = self._ask(asked, waits=False)
                self._take(question, answer, waited=False)
                answering.set_result(answer)
            except Exception:  # a strict client's, which has no caller to raise to any more
                log.exception("the question could not be asked")
            finally:
                if not answering.done():
                    answering.set_result(None)
                open_questions.end()

        if not open_questions.begin():
            answering.set_result(None)
            return answering
        try:
            # A thread for each: it costs less than the request, and there is none when there are no requests.
            context = contextvars.copy_context()  # the request's trace
            threading.Thread(target=context.run, args=(ask,), name="abuse-guard", daemon=True).start()
        except RuntimeError:  # no new threads any more
            open_questions.end()
            answering.set_result(None)
        return answering


class _OpenQuestions:
    """Counts the questions that are asked in the background."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._changed = threading.Condition()

    def begin(self) -> bool:
        """Count one more, unless there are too many."""
        with self._changed:
            if self._open >= self._most:
                return False
            self._open += 1
            return True

    def end(self) -> None:
        """Count one less."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_for_none(self, timeout_s: float) -> bool:
        """Wait until none is open."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, timeout_s)
