"""When what waits leaves: together with what comes a moment later, never held up by what is under way elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable

from abuse_client.buffer import Buffer
from abuse_client.delivery import Delivery
from abuse_client.line import Line

MAX_SINGLES_UNDER_WAY = 8


class Dispatcher:
    """Sets deliveries to work: events one request after the other, costs and sign-ins several at a time.

    It sleeps while nothing comes. Its methods but `run` may be called through ``call_soon_threadsafe``.
    """

    def __init__(self, buffer: Buffer, linger_s: float, dropped: Callable[[int], None]) -> None:
        self._buffer = buffer
        self._linger_s = linger_s
        self._dropped = dropped
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()
        self._is_retired = False
        self._is_stopped = False
        self._delivery: Delivery | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look into the buffer again."""
        self._woken.set()

    def hurry(self) -> None:
        """Do not wait for more reports to come."""
        self._hurried.set()
        self._woken.set()

    def hurry_to_end(self) -> None:
        """As `hurry`, and try once more what waits for the service to recover: the process ends."""
        self.hurry()
        if self._delivery is not None:
            self._delivery.hurry()

    def retire(self) -> None:
        """Stop once the buffer is empty."""
        self._is_retired = True
        self.hurry()

    def stop(self) -> None:
        """Stop now, whatever is under way."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()

    async def run(self, delivery: Delivery) -> None:
        """Dispatch until stopped, or until retired and empty."""
        self._task = asyncio.current_task()
        self._delivery = delivery
        lines = (
            Line(self._buffer, self._buffer.take_events, delivery, most=1),
            Line(self._buffer, self._buffer.take_single, delivery, most=MAX_SINGLES_UNDER_WAY),
        )
        with contextlib.suppress(asyncio.CancelledError):
            await self._run(lines)

    async def _run(self, lines: tuple[Line, ...]) -> None:
        while not self._is_stopped:
            await self._linger()
            self._woken.clear()
            if dropped := self._buffer.sort(waits=True):
                self._dropped(dropped)
            seen = self._buffer.numbered
            for line in lines:
                line.dispatch()
            if self._is_retired:
                for line in lines:
                    await line.finished()
                if not self._buffer.queued:
                    return
            elif self._buffer.sleeps(seen):
                await self._woken.wait()

    async def _linger(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                await self._hurried.wait()
        self._hurried.clear()
