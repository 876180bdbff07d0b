"""A trace of requests through ``/api/classify`` and ``/api/usage/cost``, as a gateway sends them."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import uvloop

from abuse_lab.lane import Lane, local_address, request_bytes
from abuse_lab.people import People
from abuse_lab.play.ledger import Ledger
from abuse_lab.play.trace import Price, TracedRequest

Headers = Sequence[tuple[str, str]]
OnRequest = Callable[[int], None]
MOST_FAULTS = 20


class _Classified(msgspec.Struct):
    request_id: int
    verdict: str


_classified = msgspec.json.Decoder(_Classified)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A trace with the people who are made up to have sent it, each request by one of them at random.

    The trace is moved in time so that it ends now; ``shift_ms`` is by how much.
    """

    requests: Sequence[TracedRequest]
    people: People
    price: Price
    shift_ms: int
    headers: Headers = ()


def make_traffic(requests: Sequence[TracedRequest], users: int, price: Price, headers: Headers = ()) -> Traffic:
    """Spread the requests over so many users."""
    now_ms = time.time_ns() // 1_000_000
    newest_ms = max((request.at_ms for request in requests), default=now_ms)
    people = People(random.SystemRandom().getrandbits(64), users)
    return Traffic(requests=requests, people=people, price=price, shift_ms=now_ms - newest_ms, headers=headers)


def play_traffic(url: str, traffic: Traffic, connections: int, on_request: OnRequest = lambda done: None) -> Ledger:
    """Send all; what was sent of whom. A refused request is a fault in the ledger. Raises `OSError`, `LaneLost`."""
    return uvloop.run(_play(url, traffic, connections, on_request))


async def _play(url: str, traffic: Traffic, connections: int, on_request: OnRequest) -> Ledger:
    host, port = local_address(url)
    ledger, todo = Ledger(), enumerate(traffic.requests, start=1)
    lanes = [await Lane.open(host, port) for _ in range(min(connections, max(1, len(traffic.requests))))]
    drives = [asyncio.create_task(_drive(lane, todo, traffic, ledger, on_request)) for lane in lanes]
    try:
        await asyncio.gather(*drives)
    finally:
        for drive, lane in zip(drives, lanes, strict=True):
            drive.cancel()
            lane.close()
    return ledger


async def _drive(
    lane: Lane, todo: Iterator[tuple[int, TracedRequest]], traffic: Traffic, ledger: Ledger, on_request: OnRequest
) -> None:
    rng = random.Random()
    for number, request in todo:
        if len(ledger.faults) >= MOST_FAULTS:
            return
        await _send(lane, request, rng.randrange(traffic.people.number), number, traffic, ledger)
        on_request(number)


async def _send(lane: Lane, request: TracedRequest, index: int, number: int, traffic: Traffic, ledger: Ledger) -> None:
    user, at_ms = traffic.people.user_id(index), request.at_ms + traffic.shift_ms
    question = traffic.people.question(index, occurred_at=at_ms)
    status, answer = await lane.ask(request_bytes("/api/classify", question, traffic.headers))
    if status != 200:
        ledger.faults.append(f"request {number}: classify answered {status} {answer.decode(errors='replace')[:200]}")
        return
    classified = _classified.decode(answer)
    ledger.note_request(user, classified.verdict)
    cost = traffic.price.cost_microdollars(request)
    report = {
        "request_id": classified.request_id,
        "message_id": f"gen-{user}-{number}",
        "cost": cost,
        "kilo_user_id": user,
        "input_tokens": request.input_tokens,
        "output_tokens": request.output_tokens,
        "occurred_at": at_ms,
    }
    status, answer = await lane.ask(request_bytes("/api/usage/cost", json.dumps(report).encode(), traffic.headers))
    if status == 200 and json.loads(answer).get("do_updated"):
        ledger.note_cost(user, request, cost)
    else:
        ledger.faults.append(f"request {number}: cost answered {status} {answer.decode(errors='replace')[:200]}")
