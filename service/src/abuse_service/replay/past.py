"""The past of a data directory: its log told once more from the beginning, beside a service that runs."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.decisions.estimate import Estimator
from abuse_service.decisions.judge import Judge
from abuse_service.errors import NotFound
from abuse_service.events.event import Stored
from abuse_service.features.catalog import Catalog
from abuse_service.features.upkeep import NEVER_MS
from abuse_service.policy.book import PolicyBook
from abuse_service.policy.policy import Policy
from abuse_service.replay.retrace import Asked, Difference, Retrace, differences
from abuse_service.replay.story import Log, tell

__all__ = ["Again", "AsThen", "Past", "PastLog", "explain_as_then"]

Progress = Callable[[int], None]
"""Told the position that a replay has reached."""

_TOLD_EVERY = 500
_decision = msgspec.json.Decoder(Decision).decode


class PastLog(Log, Protocol):
    """The log of the past."""

    first_position: int

    def find_request(self, request_id: int) -> Stored | None:
        """The record of the decision with this request id."""
        ...

    def find_last_position(self) -> int:
        """Position of the newest event."""
        ...


class Past(msgspec.Struct, frozen=True):
    """A log with the policies that were in force, and how to make a world for it that begins empty."""

    log: PastLog
    book: PolicyBook
    open_world: Callable[[Catalog], AbstractContextManager[Retrace]]

    def world(self, policies: Iterable[Policy]) -> AbstractContextManager[Retrace]:
        """A world that keeps the features of these policies from the first event on."""
        every = [feature for policy in policies for feature in policy.catalog.features.values()]
        return self.open_world(Catalog.of({}, every))

    def policy(self, version: str) -> Policy:
        """A policy that was in force once. Raises `NotFound`, or `PolicyError` where this service can't read it."""
        return Policy(self.book.text(version), must_pass=False)


class AsThen(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of the past that was made again: what was recorded, what came out now, and what differs."""

    recorded: Decision
    made: Decision | None
    differences: list[Difference]
    events: int


def explain_as_then(past: Past, request_id: int, progress: Progress = lambda position: None) -> AsThen:
    """Make a decision again from what was known when it was made, under the policy of that time.

    Raises `NotFound` for a request id that nobody was given, or where the policy's text is not in the log.
    """
    stored = past.log.find_request(request_id)
    if stored is None or stored.event.outcome is None:
        raise NotFound(f"no decision has the request id {request_id}")
    recorded = _decision(stored.event.outcome)
    policy = past.policy(recorded.policy_version)
    with past.world([policy]) as world:
        again = Again(world, policy)
        for number, one in enumerate(tell(past.log)):
            if number % _TOLD_EVERY == 0:
                progress(one.position)
            for asked in world.take(one):
                if asked.recorded.request_id == request_id:
                    made, found = again.decide(asked)
                    return AsThen(recorded=asked.recorded, made=made, differences=found, events=number + 1)
    raise NotFound(f"what the request {request_id} was decided on is no longer in the log")


class Again:
    """Makes decisions of the past again under the policy that made them."""

    def __init__(self, world: Retrace, policy: Policy) -> None:
        self._world = world
        self._features = policy.catalog.features
        self._judge = Judge(policy, world.projection, world.standing, policy.catalog.features)
        self._estimator = Estimator(policy)

    def decide(self, asked: Asked) -> tuple[Decision | None, list[Difference]]:
        """The decision as it comes out now, and what differs from the recorded one."""
        recorded = asked.recorded
        # What was still being filled from the log, or had no value, was not known to it.
        unsaid = {
            feature.base: NEVER_MS
            for name, feature in self._features.items()
            if name in recorded.values and recorded.values[name] is None
        }
        self._world.projection.upkeep.doubt_all(unsaid)
        made = self._world.decide(self._judge, asked, self._estimator)
        self._world.projection.upkeep.doubt_all({})
        if made is None:
            return None, [Difference("identity_key", recorded.identity_key, None)]
        return made, differences(_without_doubts(recorded), _without_doubts(made))


def _without_doubts(decision: Decision) -> Decision:
    """The decision without how far a feature was filled: that is of the process, not of the log."""
    rules = tuple(
        msgspec.structs.replace(rule, why_abstained="") if rule.state is RuleState.ABSTAINED else rule
        for rule in decision.rules
    )
    return msgspec.structs.replace(decision, rules=rules)
