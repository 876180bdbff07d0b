"""What a guard does, for OpenTelemetry where that is installed; nothing otherwise."""

import functools
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from abuse_client.contract import Classification
from abuse_client.gateway.rulings import Ruling
from abuse_client.gateway.settings import Mode

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

SCOPE = "abuse_client"


class QuestionSpan:
    """One question under way; tell it the answer, and its end."""

    def answered(self, answer: Classification | None) -> None:
        """Note what came, or that nothing did."""

    def end(self) -> None:
        """The question is over."""

    def current(self) -> AbstractContextManager[object]:
        """What is done within belongs to the question."""
        return nullcontext()


class Telemetry:
    """Notes nothing."""

    def begin(self, *, waits: bool) -> QuestionSpan:
        """A question begins; ``waits`` tells whether a request waits for it."""
        return QuestionSpan()

    @contextmanager
    def question(self, *, waits: bool) -> Generator[QuestionSpan]:
        """Around a whole question."""
        span = self.begin(waits=waits)
        try:
            with span.current():
                yield span
        finally:
            span.end()

    def ruled(self, ruling: Ruling, mode: Mode) -> None:
        """A request was ruled on."""


class _MeasuredSpan(QuestionSpan):
    """A span, and its duration. No field of either is personal."""

    def __init__(self, span: "Span", durations: "Histogram", *, waits: bool) -> None:
        self._span = span
        self._durations = durations
        self._waits = waits
        self._outcome = "none"
        self._begun = time.perf_counter()
        span.set_attribute("abuse.waits", waits)

    def answered(self, answer: Classification | None) -> None:
        """Note what came, or that nothing did."""
        if answer is None:
            return
        self._outcome = answer.verdict.value
        engine = answer.rules_engine
        self._span.set_attribute("abuse.request_id", answer.request_id)
        self._span.set_attribute("abuse.verdict", answer.verdict.value)
        self._span.set_attribute("abuse.action", (engine.resolved_action if engine else None) or "none")

    def end(self) -> None:
        """The question is over."""
        told: dict[str, str | bool] = {"abuse.verdict": self._outcome, "abuse.waits": self._waits}
        self._durations.record(time.perf_counter() - self._begun, told)
        self._span.end()

    def current(self) -> AbstractContextManager[object]:
        """What is done within belongs to the question."""
        from opentelemetry import trace

        return trace.use_span(self._span)


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

    def begin(self, *, waits: bool) -> QuestionSpan:
        """A question begins; ``waits`` tells whether a request waits for it."""
        span = self._tracer.start_span("abuse classify", kind=self._kind)
        return _MeasuredSpan(span, self._durations, waits=waits)

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
