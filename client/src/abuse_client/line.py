"""One way for reports to leave: so many requests at a time, and no task without work."""

import asyncio
from collections.abc import Callable

from abuse_client.buffer import Batch, Buffer
from abuse_client.delivery import Delivery


class Line:
    """Delivers batches while there are any, at most ``most`` at once."""

    def __init__(self, buffer: Buffer, take: Callable[[], Batch | None], delivery: Delivery, most: int) -> None:
        self._buffer = buffer
        self._take = take
        self._delivery = delivery
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def dispatch(self) -> None:
        """Set tasks to work, as many as find some."""
        while len(self._tasks) < self._most and (batch := self._take()):
            task = asyncio.create_task(self._work(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finished(self) -> None:
        """Return once nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _work(self, batch: Batch | None) -> None:
        while batch:
            await self._delivery.deliver(batch)
            self._buffer.settle(batch)
            batch = self._take()
