"""The client for asyncio."""

import asyncio
import time
from types import TracebackType
from typing import Self

from abuse_client.asking import Asking
from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import Fields
from abuse_client.time_limits import seconds, time_limit


class AsyncAbuseClient(Asking):
    """Reports events and asks for classifications without holding up the event loop.

    It is bound to no loop: any number of them may share it, one after the other or at once.
    """

    async def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Ask what to do with an LLM request; ``None`` when there is no answer within ``deadline`` seconds."""
        until = time_limit(deadline)
        question = self._ask(payload, until)
        if question is None:
            return None
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return self._understand(await asyncio.wrap_future(question))
        except Exception as error:
            self._unanswered(error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._unanswered(error)  # the client was closed meanwhile; nobody cancelled the caller
        return None

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - the answer is the point, not the exception
        """Wait until every report so far is sent or given up; ``False`` when that took longer than ``timeout``."""
        try:
            async with asyncio.timeout(seconds(timeout)):
                await asyncio.wrap_future(self._engine.flushed())
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Flush for a moment, then stop. Later reports are dropped and counted."""
        await asyncio.to_thread(self._engine.close, self._settings.exit_flush_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
