"""A world through the service, call by call in event time, each request's cost reported when its answer has ended."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from abuse_client.contract import AuthEventAnswer, Classification, Verdict
from abuse_lab.quality.calls import Account, Call, Endpoint, Fields, Usage, World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.doors import Door
from abuse_lab.quality.gateway import Fate, obey

_classification = msgspec.json.Decoder(Classification).decode
_auth_answer = msgspec.json.Decoder(AuthEventAnswer).decode
_SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
_EVERY = 500


class NotTaken(RuntimeError):
    """the service did not take an event that a cloud sends"""


@dataclass(kw_only=True)
class Course:
    """What became of one account.

    ``asked`` counts what was abuse (of honest accounts, everything), ``asked_microdollars`` what it would have cost had
    nobody stood in its way, ``spent_microdollars`` what it did cost. ``until_…`` is what was proxied before the first
    verdict other than ALLOW.
    """

    account: Account
    asked: int = 0
    asked_microdollars: int = 0
    spent_microdollars: int = 0
    until_requests: int = 0
    until_microdollars: int = 0
    is_caught: bool = False
    gravest: Verdict = Verdict.ALLOW
    rules: set[str] = field(default_factory=set)
    signals: set[str] = field(default_factory=set)

    def note(self, verdict: Verdict, signals: list[str], rules: list[str]) -> None:
        """A verdict on the account, with the signals raised and, where the answer names them, the rules."""
        self.is_caught = self.is_caught or verdict is not Verdict.ALLOW
        if _SEVERITY[verdict] > _SEVERITY[self.gravest]:
            self.gravest = verdict
        self.rules.update(rules)
        self.signals.update(signals)


@dataclass(order=True, slots=True)
class _Report:
    """A cost report that waits for its time."""

    due_ms: int
    number: int
    fields: Fields = field(compare=False)


class Player:
    """Plays one world through one door."""

    def __init__(self, door: Door, profile: Profile, cost_of: Cloud) -> None:
        self._door = door
        self._profile = profile
        self._cloud = cost_of
        self._reports: list[_Report] = []
        self._last_ms = 0
        self._number = 0
        self.courses: dict[str, Course] = {}

    async def play(self, world: World, on_calls: Callable[[int], None] = lambda calls: None) -> dict[str, Course]:
        """Play everything; what became of each account, by user id."""
        self.courses = {account.user_id: Course(account=account) for account in world.accounts}
        for done, call in enumerate(world.calls):
            await self._report_until(call.at_ms)
            await self._make(call)
            if done % _EVERY == 0:
                on_calls(done)
        await self._report_until(None)
        return self.courses

    async def _make(self, call: Call) -> None:
        at_ms = self._later(call.at_ms)
        answer = await self._door.post(call.endpoint, call.fields, at_ms)
        course = self.courses[call.account.user_id]
        counts = call.is_abuse or not call.account.is_abusive
        if call.endpoint is Endpoint.AUTH:
            if counts:
                said = _auth_answer(answer)
                course.note(said.verdict, said.signals, [])
        elif call.endpoint is Endpoint.EVENTS:
            _check_taken(answer)
        elif call.usage is not None:
            self._weigh(call, call.usage, course, _classification(answer), at_ms, counts=counts)

    def _weigh(
        self, call: Call, usage: Usage, course: Course, answer: Classification, at_ms: int, *, counts: bool
    ) -> None:
        outcome = obey(answer, call.account, usage, self._profile)
        if counts:
            matched = answer.rules_engine.matched_abuse_rule_ids if answer.rules_engine else []
            course.note(answer.verdict, answer.signals, matched)
            course.asked += 1
            course.asked_microdollars += usage.cost_microdollars
            course.spent_microdollars += outcome.cost_microdollars
            if not course.is_caught:
                course.until_requests += 1
                course.until_microdollars += usage.cost_microdollars
        if outcome.fate is not Fate.REFUSED and answer.request_id:
            self._number += 1
            report = self._cloud.cost(
                call.fields,
                usage,
                outcome.cost_microdollars,
                answer.request_id,
                self._number,
                is_free=outcome.fate is Fate.REROUTED,
            )
            heapq.heappush(self._reports, _Report(at_ms + int(usage.seconds * 1000), self._number, report))

    async def _report_until(self, at_ms: int | None) -> None:
        while self._reports and (at_ms is None or self._reports[0].due_ms < at_ms):
            report = heapq.heappop(self._reports)
            await self._door.post(Endpoint.COST, report.fields, self._later(report.due_ms))

    def _later(self, at_ms: int) -> int:
        # No two calls at one instant: a copy to the millisecond would be taken for a repeat.
        self._last_ms = max(at_ms, self._last_ms + 1)
        return self._last_ms


def _check_taken(answer: bytes) -> None:
    said = msgspec.json.decode(answer)
    if said["rejected"] or said["unknown_types"] or said["duplicates"]:
        raise NotTaken(f"the service did not take all events of a batch: {said}")
