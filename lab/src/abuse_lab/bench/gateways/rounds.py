"""Subjects asked in turn, one request at a time, so that what the machine does meets all of them alike."""

import asyncio
import gc
import random
import time
from collections.abc import Mapping

from abuse_lab.bench.gateways.subjects import Subject
from abuse_lab.bench.runs import NotAsSent
from abuse_lab.lane import Lane, LaneLost, local_address

WARM_UP = 30
REST_SECONDS = 0.003
"""After an answer: what a gateway still does for it must not slow the next one down."""


async def latencies(subjects: Mapping[str, Subject], rounds: int) -> dict[str, list[float]]:
    """Ask each subject once a round, in a new order each; the latencies in seconds. Raises `NotAsSent`."""
    lanes = {name: await Lane.open(*local_address(subject.url)) for name, subject in subjects.items()}
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects)
    gc.collect()
    gc.disable()
    try:
        for number in range(WARM_UP + rounds):
            random.shuffle(order)
            for name in order:
                begun = time.perf_counter()
                try:
                    status, body = await lanes[name].ask(subjects[name].request)
                except LaneLost:
                    raise NotAsSent(f"{name} hung up") from None
                if number >= WARM_UP:
                    taken[name].append(time.perf_counter() - begun)
                if status != 200:
                    raise NotAsSent(f"{name} answered {status} {body[:200]!r}, expected 200")
                await asyncio.sleep(REST_SECONDS)
    finally:
        gc.enable()
        for lane in lanes.values():
            lane.close()
    return taken
