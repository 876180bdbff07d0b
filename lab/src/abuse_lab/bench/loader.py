"""The load generator, a process of its own: ``python -m abuse_lab.bench.loader PLAN RESULT``.

It keeps every connection busy with one request at a time until all requests of the plan are answered, and writes when
each answer came and what it was. Nothing is judged here, and nothing is read of the answers before the last has come.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from abuse_lab.lane import Lane


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, in order, over how many connections."""

    host: str
    port: int
    connections: int
    requests: list[bytes]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came back: statuses and bodies in the order of the requests, 0 and nothing where the connection was lost."""

    seconds: float
    latencies: list[float]
    statuses: list[int]
    bodies: list[bytes]


class _Load:
    def __init__(self, requests: list[bytes], lanes: int) -> None:
        self.requests = requests
        self._lanes = lanes
        self.latencies = [0.0] * len(requests)
        self.statuses = [0] * len(requests)
        self.bodies = [b""] * len(requests)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next = 0
        self._open = len(requests)

    def drive(self, lane: Lane) -> None:
        """Keep the connection busy until nothing is left to send."""
        index = self._next
        if index >= len(self.requests):
            return
        self._next = index + 1
        started = time.perf_counter()

        def answered(status: int, body: bytes) -> None:
            self.latencies[index] = time.perf_counter() - started
            self.statuses[index] = status
            self.bodies[index] = body
            self._count()
            self.drive(lane)

        def lost() -> None:
            # What this connection would have carried is left to the others; without any, the rest is lost.
            self._lanes -= 1
            self._count()
            if not self._lanes:
                self.fail({"message": "the service closed every connection"})

        lane.send(self.requests[index], answered, lost)

    def fail(self, told: dict[str, Any]) -> None:
        """End at once: a fault of our own, in a callback that nobody awaits, would leave us waiting for ever."""
        if not self.done.done():
            self.done.set_exception(told.get("exception") or RuntimeError(told.get("message")))

    def _count(self) -> None:
        self._open -= 1
        if self._open == 0 and not self.done.done():
            self.done.set_result(None)


async def run(plan: Plan) -> Loaded:
    """Send everything. A lost connection loses its request; it ends when each request is answered or lost."""
    lanes = [await Lane.open(plan.host, plan.port) for _ in range(plan.connections)]
    load = _Load(plan.requests, len(lanes))
    asyncio.get_running_loop().set_exception_handler(lambda _, told: load.fail(told))
    started = time.perf_counter()
    for lane in lanes:
        load.drive(lane)
    await load.done
    seconds = time.perf_counter() - started
    for lane in lanes:
        lane.close()
    return Loaded(seconds=seconds, latencies=load.latencies, statuses=load.statuses, bodies=load.bodies)


def main(plan_path: str, result_path: str) -> None:
    """Read the plan, send it, write what came back."""
    plan = msgspec.msgpack.decode(Path(plan_path).read_bytes(), type=Plan)
    gc.disable()
    loaded = uvloop.run(run(plan))
    Path(result_path).write_bytes(msgspec.msgpack.encode(loaded))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
