"""Asking for a classification: what is the same for threads and for asyncio."""

import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

from abuse_client import drafts
from abuse_client.answers import BadAnswer, read_classification
from abuse_client.checking import insist_on_question
from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import CLASSIFY_PATH, Fields
from abuse_client.reporting import Reporting
from abuse_client.service import TIME_OUT, Answer, NoAnswer
from abuse_client.time_limits import time_limit


class Asking(Reporting):
    """Puts the question and reads the answer; the waiting in between is the subclass's."""

    def start_classification(
        self, payload: ClassifyPayload | Fields, deadline: float = 2.0
    ) -> "Future[Classification | None]":
        """Ask without waiting: a future of what `classify_request` returns, there within ``deadline`` seconds or so.

        It cannot be cancelled, and its result is ``None`` at once while ``max_questions`` of these are open. Its
        callbacks run in the client's own thread, so they must not wait for anything.
        """
        started: Future[Classification | None] = Future()
        started.set_running_or_notify_cancel()

        def understand(question: "Future[Answer]") -> None:
            answer = None
            try:
                answer = self._understand(question.result())
            except (Exception, CancelledError) as error:
                self._unanswered(error)
            started.set_result(answer)

        if self._ask(payload, time_limit(deadline), understand) is None:
            started.set_result(None)
        return started

    def _ask(
        self, payload: ClassifyPayload | Fields, until: float, then: "Callable[[Future[Answer]], None] | None" = None
    ) -> "Future[Answer] | None":
        if self._is_silent:
            return None
        try:
            question = drafts.question(payload, self._settings.max_prompt_characters)
            if self._settings.strict:
                insist_on_question(question.body)
        except Exception as error:
            self._wrong(CLASSIFY_PATH, error)
            return None
        if not self._settings.url:
            return None
        try:
            return self._engine.ask(question, until - time.monotonic(), then)
        except Exception as error:
            self._unanswered(error)
            return None

    def _understand(self, answer: Answer) -> Classification:
        classification = read_classification(answer)
        self._engine.tally.add(sent=1)
        return classification

    def _unanswered(self, error: BaseException) -> None:
        kind = error.kind if isinstance(error, NoAnswer | BadAnswer) else type(error).__name__
        if isinstance(error, TimeoutError):
            kind = TIME_OUT
        self._engine.tally.add(failed=1)
        self._engine.failures.tell(f"{CLASSIFY_PATH} failed, {kind}", str(error) or "no answer by the deadline")
