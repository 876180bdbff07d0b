"""Clients that send nothing, record everything, check it against the contract, and answer what a test tells them."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from abuse_client.contract import (
    AuthEventPayload,
    Classification,
    ClassifyPayload,
    CloudEvent,
    CostPayload,
    EventsBatch,
    UnknownEvent,
    Wire,
    to_builtins,
)
from abuse_client.testing.checks import (
    AUTH_PATH,
    CLASSIFY_PATH,
    COST_PATH,
    WrongPayload,
    problems_in,
    problems_in_event,
)

Fields = Mapping[str, Any]
GivenEvent = CloudEvent | UnknownEvent | Fields


class Recording:
    """What both recording clients share: the record and the assertions over it.

    A payload that breaks the contract raises `WrongPayload` at the call. So does a field that the contract does not
    know, which is how a typing mistake looks, unless ``accepts_unknown``.
    """

    def __init__(self, *, accepts_unknown: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.costs: list[dict[str, Any]] = []
        self.auth_events: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self._accepts_unknown = accepts_unknown
        self._answers: list[Classification | None] = [None]
        self._lock = threading.Lock()

    def answer(self, *answers: Classification | None) -> None:
        """Give these answers one after the other, and the last one from then on. At first there is none."""
        with self._lock:
            self._answers = list(answers) or [None]

    def report_cost(self, payload: CostPayload | Fields) -> None:
        """Record a cost."""
        fields = _fields(payload)
        if fields.get("request_id") not in (None, 0):  # as the client does
            self._check(problems_in(COST_PATH, fields, accepts_unknown=self._accepts_unknown))
            self.costs.append(fields)

    def report_auth_event(self, payload: AuthEventPayload | Fields) -> None:
        """Record a sign-up or sign-in."""
        fields = _fields(payload)
        self._check(problems_in(AUTH_PATH, fields, accepts_unknown=self._accepts_unknown))
        self.auth_events.append(fields)

    def report_event(self, event: GivenEvent) -> None:
        """Record one event."""
        fields = _fields(event)
        self._check(problems_in_event(fields, accepts_unknown=self._accepts_unknown))
        self.events.append(fields)

    def report_events(self, events: "Iterable[GivenEvent] | EventsBatch | Fields") -> None:
        """Record any number of events."""
        for event in _members(events):
            self.report_event(event)

    def clear(self) -> None:
        """Forget what was recorded; answers stay."""
        for record in (self.events, self.costs, self.auth_events, self.questions):
            record.clear()

    def assert_reported(self, type: str, /, *, times: int | None = None, **data: Any) -> dict[str, Any]:
        """That an event of this type with these ``data`` was reported (so many ``times``); returns the last one."""
        found = [event for event in self.events if event["type"] == type and _holds(event.get("data"), data)]
        return _the_last(f"an event {type}", data, found, self.events, times)

    def assert_not_reported(self, type: str, /, **data: Any) -> None:
        """That no event of this type with these ``data`` was reported."""
        found = [event for event in self.events if event["type"] == type and _holds(event.get("data"), data)]
        assert not found, f"expected no event {type}{_with(data)}, found {len(found)}"

    def assert_nothing_reported(self) -> None:
        """That neither event nor sign-in nor cost was reported."""
        record = self.events + self.auth_events + self.costs
        assert not record, f"expected no report, found {len(record)}:{_listed(record)}"

    def assert_signed_in(self, *, times: int | None = None, **fields: Any) -> dict[str, Any]:
        """That a sign-in with these fields was reported."""
        return self._assert_auth("signin", times, fields)

    def assert_signed_up(self, *, times: int | None = None, **fields: Any) -> dict[str, Any]:
        """That a sign-up with these fields was reported."""
        return self._assert_auth("signup", times, fields)

    def assert_asked(self, *, times: int | None = None, **fields: Any) -> dict[str, Any]:
        """That a classification with these fields was asked for."""
        found = [question for question in self.questions if _holds(question, fields)]
        return _the_last("a question", fields, found, self.questions, times)

    def assert_cost_reported(self, *, times: int | None = None, **fields: Any) -> dict[str, Any]:
        """That a cost with these fields was reported."""
        found = [cost for cost in self.costs if _holds(cost, fields)]
        return _the_last("a cost", fields, found, self.costs, times)

    def _assert_auth(self, kind: str, times: int | None, fields: Fields) -> dict[str, Any]:
        wanted = {"event_type": kind, **fields}
        found = [event for event in self.auth_events if _holds(event, wanted)]
        return _the_last(f"a {kind}", fields, found, self.auth_events, times)

    def _take_question(self, payload: ClassifyPayload | Fields) -> Classification | None:
        fields = _fields(payload)
        self._check(problems_in(CLASSIFY_PATH, fields, accepts_unknown=self._accepts_unknown))
        with self._lock:
            self.questions.append(fields)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _check(self, problems: list[str]) -> None:
        if problems:
            raise WrongPayload("; ".join(problems))


class RecordingClient(Recording):
    """Stands in for `abuse_client.AbuseClient`."""

    def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Record the question and give the next answer."""
        return self._take_question(payload)

    def start_classification(
        self, payload: ClassifyPayload | Fields, deadline: float = 2.0
    ) -> "Future[Classification | None]":
        """Record the question and give the next answer, which is there at once."""
        return _done(self._take_question(payload))

    def flush(self, timeout: float) -> bool:
        """Nothing waits."""
        return True

    def close(self) -> None:
        """Nothing is open."""


class AsyncRecordingClient(Recording):
    """Stands in for `abuse_client.AsyncAbuseClient`."""

    async def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Record the question and give the next answer."""
        return self._take_question(payload)

    def start_classification(
        self, payload: ClassifyPayload | Fields, deadline: float = 2.0
    ) -> "Future[Classification | None]":
        """Record the question and give the next answer, which is there at once."""
        return _done(self._take_question(payload))

    async def flush(self, timeout: float) -> bool:  # noqa: ASYNC109 - the client's signature
        """Nothing waits."""
        return True

    async def close(self) -> None:
        """Nothing is open."""


def _done(answer: Classification | None) -> "Future[Classification | None]":
    done: Future[Classification | None] = Future()
    done.set_result(answer)
    return done


def _members(given: "Iterable[GivenEvent] | EventsBatch | Fields") -> list[GivenEvent]:
    if isinstance(given, EventsBatch):
        return list(given.events)
    if isinstance(given, Mapping):
        return list(given["events"])
    return list(given)


def _fields(given: Wire | Fields) -> dict[str, Any]:
    fields: dict[str, Any] = to_builtins(given if isinstance(given, Wire) else dict(given))
    return fields


def _holds(found: Any, wanted: Fields) -> bool:
    return isinstance(found, Mapping) and all(found.get(name) == value for name, value in wanted.items())


def _the_last(
    what: str, wanted: Fields, found: list[dict[str, Any]], record: list[dict[str, Any]], times: int | None
) -> dict[str, Any]:
    expected = f"expected {what}{_with(wanted)}" + ("" if times is None else f" {times} times")
    assert found if times is None else len(found) == times, (
        f"{expected}, found {len(found)} among {len(record)}:{_listed(record)}"
    )
    return found[-1] if found else {}


def _with(wanted: Fields) -> str:
    return " with " + ", ".join(f"{name}={value!r}" for name, value in wanted.items()) if wanted else ""


def _listed(record: list[dict[str, Any]]) -> str:
    return "".join(f"\n  {entry}" for entry in record) or " nothing"
