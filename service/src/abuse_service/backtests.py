"""Backtests as they are run: parts of the log side by side, one a core, each in a process of its own."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from abuse_service.errors import RefusedToStart, ServiceError
from abuse_service.policy.policy import Policy
from abuse_service.replay.backtest import Span, Tally, play
from abuse_service.replay.findings import Findings, find
from abuse_service.settings import Settings
from abuse_service.wiring import open_past

_FOLD_TO_DECIDE = 0.5
"""What it costs to fold an event, over what it costs to have one policy decide on it, about."""
_LOOK_SECONDS = 0.2

Progress = Callable[[int], None]
"""Told how many events were gone through, of those that `steps` says."""


class Plan(msgspec.Struct, frozen=True):
    """Which part of the log each process plays; all of what stands before it is folded first."""

    spans: tuple[Span, ...]

    @property
    def steps(self) -> int:
        """Events that all of them go through together."""
        return sum(span.behind for span in self.spans)


def plan(last_position: int, workers: int, policies: int, *, since_ms: int = 0, until_ms: int = 2**62) -> Plan:
    """Parts that take about as long: a later one is shorter, since more stands before it."""
    fold = _FOLD_TO_DECIDE / (_FOLD_TO_DECIDE + policies)
    shares = [1.0]
    for _ in range(workers - 1):
        # A part and all that is folded before it take as long as the one before it did.
        shares.append(shares[-1] * (1 - fold))
    ends = [int(last_position * sum(shares[: number + 1]) / sum(shares)) for number in range(workers)]
    ends[-1] = last_position
    firsts = [1, *(end + 1 for end in ends[:-1])]
    spans = (Span(first, end + 1, since_ms, until_ms) for first, end in zip(firsts, ends, strict=True))
    return Plan(tuple(span for span in spans if span.first < span.behind))


def run(
    settings: Settings, policies: Sequence[Policy], names: Sequence[str], made: Plan, progress: Progress
) -> Findings:
    """Play each part in a process of its own and put together what they found. Raises `ServiceError`."""
    context = multiprocessing.get_context("spawn")
    texts = [policy.text for policy in policies]
    reached = context.Array("q", len(made.spans))
    pipes, workers = [], []
    for number, span in enumerate(made.spans):
        here, there = context.Pipe(duplex=False)
        work = (there, reached, number, settings.model_dump(mode="python"), texts, span)
        workers.append(context.Process(target=_work, args=work, daemon=True))
        workers[-1].start()
        there.close()
        pipes.append(here)
    try:
        return find(_gather(pipes, reached, progress), policies, names)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def default_workers() -> int:
    """One a core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gather(pipes: list[Any], reached: Any, progress: Progress) -> list[Tally]:
    tallies: list[Tally] = []
    for pipe in pipes:
        while not pipe.poll(_LOOK_SECONDS):
            progress(sum(reached))
        try:
            said = pipe.recv()
        except EOFError:
            raise ServiceError("a process of the backtest ended before it was done; is there memory enough?") from None
        if isinstance(said, str):
            raise RefusedToStart(said)
        tallies.append(said)
    progress(sum(reached))
    return tallies


def _work(pipe: Any, reached: Any, number: int, said: dict[str, Any], texts: list[str], span: Span) -> None:
    """One process: its answer is a tally, or why there is none."""
    try:
        settings = Settings(**said)
        policies = [Policy(text, must_pass=False) for text in texts]
        with open_past(settings) as past:

            def tell(position: int) -> None:
                reached[number] = position

            pipe.send(play(past, policies, span, tell))
    except ServiceError as error:
        pipe.send(error.message)
