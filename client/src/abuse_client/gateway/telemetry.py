"""What a guard does, for OpenTelemetry where that is installed; nothing otherwise."""

import functools
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from abuse_client.contract import Classification
from abuse_client.gateway.rulings import Ruling
from abuse_client.gateway.settings import Mode

if TYPE_CHECKING:
    from opentelemetry.trace import Span

SCOPE = "abuse_client"


class QuestionSpan:
    """One question under way; tell it the answer."""

    def __init__(self, span: "Span | None" = None) -> None:
        self._span = span
        self.outcome: str = "none"

    def answered(self, answer: Classification | None) -> None:
        """Note what came, or that nothing did. No field of it is personal."""
        if answer is None:
            return
        self.outcome = answer.verdict.value
        if self._span is None:
            return
        engine = answer.rules_engine
        self._span.set_attribute("abuse.request_id", answer.request_id)
        self._span.set_attribute("abuse.verdict", answer.verdict.value)
        self._span.set_attribute("abuse.action", (engine.resolved_action if engine else None) or "none")


class Telemetry:
    """Notes nothing."""

    @contextmanager
    def question(self, *, waits: bool) -> Generator[QuestionSpan]:
        """Around a question; ``waits`` tells whether a request waits for it."""
        yield QuestionSpan()

    def ruled(self, ruling: Ruling, mode: Mode) -> None:
        """A request was ruled on."""


class OpenTelemetry(Telemetry):
    """A span and a duration for each question, and a count of what became of requests."""

    def __init__(self) -> None:
        from opentelemetry import metrics, trace

        self._tracer = trace.get_tracer(SCOPE)
        self._kind = trace.SpanKind.CLIENT
        meter = metrics.get_meter(SCOPE)
        self._durations = meter.create_histogram(
            "abuse.question.duration", unit="s", description="Time until the abuse service answered, or did not."
        )
        self._rulings = meter.create_counter(
            "abuse.guard.requests", unit="{request}", description="Requests by what the guard did, or would have done."
        )

    @contextmanager
    def question(self, *, waits: bool) -> Generator[QuestionSpan]:
        """Around a question; ``waits`` tells whether a request waits for it."""
        begun = time.perf_counter()
        with self._tracer.start_as_current_span("abuse classify", kind=self._kind) as span:
            span.set_attribute("abuse.waits", waits)
            told = QuestionSpan(span)
            try:
                yield told
            finally:
                self._durations.record(
                    time.perf_counter() - begun, {"abuse.verdict": told.outcome, "abuse.waits": waits}
                )

    def ruled(self, ruling: Ruling, mode: Mode) -> None:
        """A request was ruled on."""
        action = ruling.measure.action.value if ruling.measure else "none"
        does = "refuse" if ruling.refusal else "pass" if ruling.changes_nothing else "hamper"
        self._rulings.add(1, {"abuse.ruling": does, "abuse.action": action, "abuse.mode": mode.value})


@functools.cache  # instruments are made once, however many guards there are
def find_telemetry() -> Telemetry:
    """OpenTelemetry's if its API is installed; without an SDK that is a few no-ops."""
    try:
        return OpenTelemetry()
    except ImportError:
        return Telemetry()
