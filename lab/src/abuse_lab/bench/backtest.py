"""``bench backtest``: a policy played over a log, against a bare loop over it; and on two cores against one."""

import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from abuse_lab.bench.figures import Figure, Result, at_least, gather
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed, interleave
from abuse_lab.people import People
from abuse_service import backtests
from abuse_service.policy.policy import DEFAULT_POLICY, Policy
from abuse_service.replay.findings import Findings
from abuse_service.settings import Settings
from abuse_service.wiring import Service, open_past

USERS = 2_000
SIGN_INS, QUESTIONS, COSTS = 0.05, 0.55, 0.2
"""Shares of what a cloud sends: the rest are business events, in batches of ten."""
_BATCH = 10


def measure(options: Options) -> Result:
    """``vs_bare_loop`` a core, and ``two_cores``: the same on two processes over one."""
    events = options.pick(full=100_000, quick=1_500)
    seed = fresh_seed()
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as folder:
        data = Path(folder) / "data"
        asyncio.run(_fill(data, events, seed))
        runs = gather([_run(data, number) for number in range(options.runs)])
    mix = f"{events:,} events told in {QUESTIONS:.0%} requests, {COSTS:.0%} costs, {SIGN_INS:.0%} sign-ins, and batches"
    return Result(
        bench="backtest",
        is_quick=options.is_quick,
        figures={
            "vs_bare_loop": Figure(
                runs=runs["vs_bare_loop"],
                goal=at_least(0.15),
                against=f"a loop that reads the same log, decodes each body and counts in dicts; {mix}",
            ),
            "two_cores": Figure(
                runs=runs["two_cores"],
                goal=at_least(1.7),
                against="the same in one process, the start of processes included",
            ),
            "events_per_second": Figure(runs=runs["one"]),
            "bare_events_per_second": Figure(runs=runs["bare"]),
        },
    )


async def _fill(data: Path, events: int, seed: int) -> None:
    """Tell a service about that many events: people sign in, ask, pay."""
    rng = random.Random(seed)
    people, mixture = People(seed, USERS), Mixture(seed, [People(seed, USERS).user_id(index) for index in range(USERS)])
    service = Service(Settings(data=data))
    await service.start()
    flow = service.flow
    try:
        while service.store.last_position < events:
            dice, index = rng.random(), rng.randrange(USERS)
            if dice < SIGN_INS:
                await flow.take_auth(people.sign_up(index, event_type="signin"), "cloud")
            elif dice < SIGN_INS + QUESTIONS:
                answer = json.loads(await flow.classify(people.question(index), "cloud", may_import=False))
                if rng.random() < COSTS / QUESTIONS:
                    await flow.take_cost(_cost(people.user_id(index), answer["request_id"], rng), "cloud")
            else:
                [batch] = mixture.batches(1, _BATCH)
                await flow.take_events(batch, "cloud")
        await service.store.settle()
    finally:
        await service.stop()


def _cost(user_id: str, request_id: int, rng: random.Random) -> bytes:
    said = {"kilo_user_id": user_id, "request_id": request_id, "message_id": f"m{request_id}"}
    return json.dumps(said | {"cost": rng.randrange(90_000), "input_tokens": 900, "output_tokens": 300}).encode()


def _run(data: Path, number: int) -> dict[str, float]:
    rates = interleave(
        number, {"one": lambda: _play(data, 1), "two": lambda: _play(data, 2), "bare": lambda: _count(data)}
    )
    return rates | {"vs_bare_loop": rates["one"] / rates["bare"], "two_cores": rates["two"] / rates["one"]}


def _play(data: Path, workers: int) -> float:
    """Events a second, the shipped policy beside itself. Raises `NotAsSent` when a decision comes out otherwise."""
    policy = Policy(DEFAULT_POLICY.read_text())
    settings = Settings(data=data)
    with open_past(settings) as past:
        last_position = past.log.find_last_position()
    begun = time.perf_counter()
    made = backtests.plan(last_position, workers, 2)
    findings: Findings = backtests.run(settings, [policy, policy], ["now", "again"], made, lambda done: None)
    seconds = time.perf_counter() - begun
    if findings.events != last_position or findings.policies[1].changed:
        raise NotAsSent(
            f"{findings.events} of {last_position} events, {findings.policies[1].changed} decisions changed"
        )
    return findings.events / seconds


def _count(data: Path) -> float:
    """Events a second by a bare loop: the log's blocks, each body decoded, counted by type and by identity."""
    decode = msgspec.json.decode
    types: Counter[str] = Counter()
    identities: dict[str | None, int] = {}
    with open_past(Settings(data=data)) as past:
        begun = time.perf_counter()
        for stored in past.log.read(0):
            event = stored.event
            said: Any = decode(event.body)
            types[event.type] += 1
            identities[event.identity] = identities.get(event.identity, 0) + len(said)
        return types.total() / (time.perf_counter() - begun)
