"""The guard for asyncio."""

import asyncio
from concurrent.futures import Future
from typing import Protocol

from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import Fields
from abuse_client.gateway.judging import Asked, Judging, Starts
from abuse_client.gateway.memory import Memory
from abuse_client.gateway.passage import Answering, Passage
from abuse_client.gateway.settings import GuardSettings
from abuse_client.time_limits import seconds


class AsksAsync(Starts, Protocol):
    """The part of `abuse_client.AsyncAbuseClient` that a guard needs."""

    async def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Ask what to do with an LLM request."""


class AsyncGuard(Judging):
    """What `abuse_client.gateway.Guard` is for threads, for asyncio. It is bound to no loop."""

    def __init__(
        self, client: AsksAsync, settings: GuardSettings | None = None, *, memory: Memory | None = None
    ) -> None:
        super().__init__(client, settings, memory=memory)
        self._asks = client

    async def admit(self, asked: Asked, *, lingers: bool = True) -> Passage:
        """Judge a request; where it is to be slowed down, return only after the wait (unless ``lingers`` is false).

        Raises what a strict client raises.
        """
        question = self._question(asked)
        if self._must_wait(question):
            answering: Answering = Future()
            with self._telemetry.question(waits=True) as span:
                answer = await self._asks.classify_request(asked, self.settings.deadline_s)
                span.answered(answer)
            ruling = self._take(question, answer, waited=True)
            answering.set_result(answer)
        else:
            answering, ruling = self._start(question, asked), self._unasked(question)
        if lingers and ruling.wait_s:
            await asyncio.sleep(ruling.wait_s)
        return Passage(self._client, question.asked, question.identity_key, ruling, answering)

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - the answer is the point, not the exception
        """Wait until every question is answered and the costs that wait for that are handed to the client.

        ``False`` when that took longer than ``timeout``. Call it before the client's own `flush`.
        """
        return await asyncio.to_thread(self._open.wait_for_none, seconds(timeout))
