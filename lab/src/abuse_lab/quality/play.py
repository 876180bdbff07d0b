"""A world through the service, call by call in event time, each request's cost reported when its answer has ended."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from abuse_client.contract import AuthEventAnswer, Classification, Verdict
from abuse_lab.quality.calls import Account, Call, Endpoint, Fields, Usage, World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.doors import Door
from abuse_lab.quality.gateway import Fate, Outcome, obey

_classification = msgspec.json.Decoder(Classification).decode
_auth_answer = msgspec.json.Decoder(AuthEventAnswer).decode
_SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
_EVERY = 500
_FIRST_PAUSE_MS = 1_000
"""Before a client asks again; twice as long before each further time."""


class NotTaken(RuntimeError):
    """the service did not take an event that a cloud sends"""


@dataclass(kw_only=True)
class Course:
    """What became of one account.

    ``asked`` counts what was abuse (of honest accounts, everything), ``asked_microdollars`` what it would have cost had
    nobody stood in its way, ``spent_microdollars`` what it did cost. ``until_…`` is what was proxied before the first
    verdict other than ALLOW. ``is_refused`` says that some request was not served, whatever the verdict was called.
    """

    account: Account
    asked: int = 0
    asked_microdollars: int = 0
    spent_microdollars: int = 0
    until_requests: int = 0
    until_microdollars: int = 0
    is_caught: bool = False
    is_refused: bool = False
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

    def count(self, usage: Usage, outcome: Outcome, *, is_first: bool) -> None:
        """What became of a request; one that is sent again is no further wish."""
        self.is_refused = self.is_refused or outcome.fate is Fate.REFUSED
        self.spent_microdollars += outcome.cost_microdollars
        if not is_first:
            return
        self.asked += 1
        self.asked_microdollars += usage.cost_microdollars
        if not self.is_caught:
            self.until_requests += 1
            self.until_microdollars += usage.cost_microdollars


@dataclass(order=True, slots=True)
class _Pending:
    """What waits for its time: a cost report, or a refused request that its client sends again."""

    due_ms: int
    number: int = 0
    report: Fields = field(default_factory=dict, compare=False)
    call: Call | None = field(default=None, compare=False)
    attempt: int = field(default=0, compare=False)


class Player:
    """Plays one world through one door."""

    def __init__(self, door: Door, profile: Profile, cost_of: Cloud) -> None:
        self._door = door
        self._profile = profile
        self._cloud = cost_of
        self._pending: list[_Pending] = []
        self._last_ms = 0
        self._number = 0
        self._order = 0
        self.courses: dict[str, Course] = {}

    async def play(self, world: World, on_calls: Callable[[int], None] = lambda calls: None) -> dict[str, Course]:
        """Play everything; what became of each account, by user id."""
        self.courses = {account.user_id: Course(account=account) for account in world.accounts}
        for done, call in enumerate(world.calls):
            await self._settle_until(call.at_ms)
            await self._make(call)
            if done % _EVERY == 0:
                on_calls(done)
        await self._settle_until(None)
        return self.courses

    async def _make(self, call: Call) -> None:
        if call.usage is not None:
            await self._ask(call, call.usage, attempt=0, at_ms=call.at_ms)
            return
        answer = await self._door.post(call.endpoint, call.fields, self._later(call.at_ms))
        if call.endpoint is Endpoint.AUTH and _counts(call):
            said = _auth_answer(answer)
            self.courses[call.account.user_id].note(said.verdict, said.signals, [])
        elif call.endpoint is Endpoint.EVENTS:
            _check_taken(answer)

    async def _ask(self, call: Call, usage: Usage, *, attempt: int, at_ms: int) -> None:
        at_ms = self._later(at_ms)
        fields = call.fields if attempt == 0 or "event_id" not in call.fields else _anew(call.fields, attempt)
        answer = _classification(await self._door.post(Endpoint.CLASSIFY, fields, at_ms))
        outcome = obey(answer, call.account, usage, self._profile)
        if _counts(call):
            matched = answer.rules_engine.matched_abuse_rule_ids if answer.rules_engine else []
            course = self.courses[call.account.user_id]
            course.note(answer.verdict, answer.signals, matched)
            course.count(usage, outcome, is_first=attempt == 0)
        if outcome.fate is Fate.REFUSED:
            if attempt < call.account.retries:
                self._wait(_Pending(at_ms + _FIRST_PAUSE_MS * 2**attempt, attempt=attempt + 1, call=call))
        elif answer.request_id:
            self._number += 1
            is_free = outcome.fate is Fate.REROUTED
            report = self._cloud.cost(
                fields, usage, outcome.cost_microdollars, answer.request_id, self._number, is_free=is_free
            )
            self._wait(_Pending(at_ms + int(usage.seconds * 1000), report=report))

    def _wait(self, pending: "_Pending") -> None:
        self._order += 1
        pending.number = self._order
        heapq.heappush(self._pending, pending)

    async def _settle_until(self, at_ms: int | None) -> None:
        while self._pending and (at_ms is None or self._pending[0].due_ms < at_ms):
            due = heapq.heappop(self._pending)
            if due.call is not None and due.call.usage is not None:
                await self._ask(due.call, due.call.usage, attempt=due.attempt, at_ms=due.due_ms)
            else:
                await self._door.post(Endpoint.COST, due.report, self._later(due.due_ms))

    def _later(self, at_ms: int) -> int:
        # No two calls at one instant: a copy to the millisecond would be taken for a repeat.
        self._last_ms = max(at_ms, self._last_ms + 1)
        return self._last_ms


def _counts(call: Call) -> bool:
    return call.is_abuse or not call.account.is_abusive


def _anew(fields: Fields, attempt: int) -> Fields:
    """The same request as a new event: a sender's id is used once."""
    return fields | {"event_id": f"{fields['event_id']}-{attempt}"}


def _check_taken(answer: bytes) -> None:
    said = msgspec.json.decode(answer)
    if said["rejected"] or said["unknown_types"] or said["duplicates"]:
        raise NotTaken(f"the service did not take all events of a batch: {said}")
