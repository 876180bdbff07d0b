"""Spans and metrics where OpenTelemetry is installed, and nothing where it is not."""

import subprocess
import sys

import pytest

from abuse_client.gateway import AsyncGuard, Guard, GuardSettings
from abuse_client.tally import Stats
from abuse_client.testing import AsyncRecordingClient, RecordingClient, classification

pytest.importorskip("opentelemetry.sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from abuse_client.integrations.opentelemetry import observe

ASKED = {"kilo_user_id": "user-1", "ip_address": "192.0.2.7", "user_prompt": "secret"}


@pytest.fixture(scope="module")
def providers():
    """The process's providers, which can be set once; they stay, for guards of other tests use them from then on."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracer_provider)
    meter_provider = MeterProvider([reader])
    metrics.set_meter_provider(meter_provider)
    return spans, reader


@pytest.fixture
def spans(providers):
    providers[0].clear()
    return providers[0]


def collected(reader):
    """The values of each metric by their attributes."""
    read = reader.get_metrics_data()
    metrics_read = [
        metric
        for resource in (read.resource_metrics if read else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    return {
        metric.name: {
            tuple(sorted(point.attributes.items())): getattr(point, "value", None) or getattr(point, "count", 0)
            for point in metric.data.data_points
        }
        for metric in metrics_read
    }


def test_question_has_span(spans):
    """A question that nobody waits for is still part of its request's trace, and tells nothing personal."""
    client = RecordingClient()
    client.answer(classification("block", request_id=41))
    with trace.get_tracer("product").start_as_current_span("request") as request:
        Guard(client).admit(ASKED)._answering.result(5)
    span = next(one for one in spans.get_finished_spans() if one.name == "abuse classify")
    assert span.parent.span_id == request.get_span_context().span_id
    assert dict(span.attributes) == {
        "abuse.waits": False,
        "abuse.request_id": 41,
        "abuse.verdict": "HARD_BLOCK",
        "abuse.action": "block",
    }


async def test_rulings_are_counted(spans, providers):
    """What became of requests is counted by ruling and action, whatever kind of guard it was; so are the answers."""
    client = AsyncRecordingClient()
    client.answer(classification("rate-limit"), classification(None), None)
    guard = AsyncGuard(client, GuardSettings(always_waits=True))
    before = collected(providers[1]).get("abuse.guard.requests", {})
    for user in ("user-1", "user-2", "user-3"):
        await guard.admit({"kilo_user_id": user})
    found = collected(providers[1])
    after = found["abuse.guard.requests"]
    grown = {
        dict(key)["abuse.ruling"]: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key)
    }
    assert grown == {"refuse": 1, "pass": 2}
    assert len(spans.get_finished_spans()) == 3
    verdicts = {dict(key)["abuse.verdict"] for key in found["abuse.question.duration"]}
    assert {"SOFT_BLOCK", "ALLOW", "none"} <= verdicts


def test_client_is_observed(providers):
    """What became of reports is read from the client when metrics are collected."""

    class Client:
        def stats(self):
            return Stats(sent=7, failed=2, dropped=1, queued=3)

    observe(Client(), name="c")
    found = collected(providers[1])
    counted = {dict(key)["abuse.outcome"]: value for key, value in found["abuse.client.reports"].items()}
    assert counted == {"sent": 7, "failed": 2, "dropped": 1}
    assert list(found["abuse.client.queued"].values()) == [3]


def test_nothing_without_it():
    """Without OpenTelemetry a guard works the same."""
    script = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from abuse_client.gateway import Guard, GuardSettings\n"
        "from abuse_client.testing import RecordingClient, classification\n"
        "client = RecordingClient(); client.answer(classification('block'))\n"
        "print(Guard(client, GuardSettings(always_waits=True)).admit({}).refusal.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "abuse_blocked\n"
