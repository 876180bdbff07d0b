"""The guard for asyncio."""

import asyncio
from concurrent.futures import Future
from typing import Protocol

from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import Fields
from abuse_client.gateway.judging import Asked, Judging, Question, log
from abuse_client.gateway.memory import Memory
from abuse_client.gateway.passage import Answering, Passage, ReportsCosts
from abuse_client.gateway.settings import GuardSettings


class AsksAsync(ReportsCosts, Protocol):
    """The part of `abuse_client.AsyncAbuseClient` that a guard needs."""

    async def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Ask what to do with an LLM request."""


class AsyncGuard(Judging):
    """What `abuse_client.gateway.Guard` is for threads, for asyncio. It is bound to no loop."""

    def __init__(
        self, client: AsksAsync, settings: GuardSettings | None = None, *, memory: Memory | None = None
    ) -> None:
        super().__init__(settings, memory=memory)
        self._client = client
        self._under_way: set[asyncio.Task[None]] = set()

    async def admit(self, asked: Asked, *, lingers: bool = True) -> Passage:
        """Judge a request; where it is to be slowed down, return only after the wait (unless ``lingers`` is false).

        Raises what a strict client raises, if the request waits for its answer; otherwise that is logged.
        """
        question = self._question(asked)
        answering: Answering = Future()
        if self._must_wait(question):
            answer = await self._ask(asked, waits=True)
            ruling = self._take(question, answer, waited=True)
            answering.set_result(answer)
        else:
            ruling = self._unasked(question)
            self._ask_in_background(question, asked, answering)
        if lingers and ruling.wait_s:
            await asyncio.sleep(ruling.wait_s)
        return Passage(self._client, question.asked, question.identity_key, ruling, answering)

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - the answer is the point, not the exception
        """Wait until every question of this loop is answered and the costs that wait for that are handed over.

        ``False`` when that took longer than ``timeout``. Call it before the client's own `flush` at an orderly end.
        """
        loop = asyncio.get_running_loop()
        open_here = [task for task in self._under_way if task.get_loop() is loop]
        if not open_here:
            return True
        _, late = await asyncio.wait(open_here, timeout=timeout)
        return not late

    async def _ask(self, asked: Asked, *, waits: bool) -> Classification | None:
        with self._telemetry.question(waits=waits) as span:
            answer = await self._client.classify_request(asked, self.settings.deadline_s)
            span.answered(answer)
            return answer

    def _ask_in_background(self, question: Question, asked: Asked, answering: Answering) -> None:
        async def ask() -> None:
            try:
                answer = await self._ask(asked, waits=False)
                self._take(question, answer, waited=False)
                answering.set_result(answer)
            except Exception:  # a strict client's, which has no caller to raise to any more
                log.exception("the question could not be asked")
            finally:
                if not answering.done():  # the loop ends
                    answering.set_result(None)

        task = asyncio.create_task(ask(), name="abuse-guard")
        self._under_way.add(task)  # a loop holds its tasks weakly
        task.add_done_callback(self._under_way.discard)
