"""A service that fails again and again is left alone, and found again."""

import asyncio
import time

import pytest

from abuse_client import AbuseClient, AsyncAbuseClient
from abuse_client.circuit import FAILURES_TO_OPEN, LONGEST_PAUSE_S, Circuit


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def circuit(clock):
    return Circuit(clock, spread=lambda: 1.0)


def fail(circuit, times=1):
    for _ in range(times):
        circuit.failed(circuit.enter())


def test_opens_after_failures_in_a_row(circuit):
    """Four failures are bad luck, five in a row open the circuit, and a success in between starts the count again."""
    fail(circuit, FAILURES_TO_OPEN - 1)
    circuit.succeeded(circuit.enter())
    fail(circuit, FAILURES_TO_OPEN - 1)
    assert not circuit.is_open
    fail(circuit)
    assert circuit.is_open
    assert circuit.enter() is None
    assert circuit.wait_s() == 1.0


def test_one_probe_at_a_time(circuit, clock):
    """After the pause one request leaves; whoever comes meanwhile does not."""
    fail(circuit, FAILURES_TO_OPEN)
    clock.now += 1.0
    probe = circuit.enter()
    assert probe.is_probe
    assert circuit.enter() is None
    circuit.succeeded(probe)
    assert not circuit.is_open
    assert not circuit.enter().is_probe


def test_failed_probe_waits_longer(circuit, clock):
    """Each failed probe doubles the pause, up to half a minute; a success starts again at a second."""
    fail(circuit, FAILURES_TO_OPEN)
    pauses = []
    for _ in range(7):
        pauses.append(circuit.wait_s())
        clock.now += pauses[-1]
        fail(circuit)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    clock.now += LONGEST_PAUSE_S
    circuit.succeeded(circuit.enter())
    fail(circuit, FAILURES_TO_OPEN)
    assert circuit.wait_s() == 1.0


def test_late_failure_tells_nothing(circuit, clock):
    """What was sent before the circuit opened does not speak for the probe."""
    late = [circuit.enter() for _ in range(3)]
    fail(circuit, FAILURES_TO_OPEN)
    clock.now += 1.0
    probe = circuit.enter()
    for ticket in late:
        circuit.failed(ticket)
    circuit.succeeded(probe)
    assert not circuit.is_open


def test_forsaken_probe_frees_its_place(circuit, clock):
    """A probe whose caller hung up counts for nothing, and the next one probes."""
    fail(circuit, FAILURES_TO_OPEN)
    clock.now += 1.0
    circuit.gave_up(circuit.enter())
    assert circuit.enter().is_probe


def test_rest_is_kept_even_in_a_hurry(circuit, clock):
    """A pause that the service asked for is kept; one of our own ends when the process does."""
    circuit.rest(20.0)
    circuit.hurry()
    assert circuit.enter() is None
    clock.now += 20.0
    circuit.succeeded(circuit.enter())
    fail(circuit, FAILURES_TO_OPEN)
    circuit.hurry()
    assert circuit.enter().is_probe


def test_open_circuit_answers_at_once(sink, behaviour):
    """After five failures questions are ``None`` without being sent; a moment later one is, and all is well again."""
    sink.behave(*[behaviour(503)] * FAILURES_TO_OPEN)
    with AbuseClient(sink.url) as client:
        for _ in range(FAILURES_TO_OPEN):
            assert client.classify_request({}) is None
        assert client.stats().is_open
        begun = time.monotonic()
        assert [client.classify_request({}) for _ in range(50)] == [None] * 50
        assert time.monotonic() - begun < 0.3
        assert len(sink.received) == FAILURES_TO_OPEN
        time.sleep(1.05)
        assert client.classify_request({}) is not None
        assert not client.stats().is_open
        assert client.stats().failed == FAILURES_TO_OPEN + 50


def test_busy_service_is_not_asked(sink, behaviour):
    """A question that met 429 with ``Retry-After`` is the last one for so long; reports go their own way."""
    sink.behave(behaviour(429, Retry_After="1"))
    with AbuseClient(sink.url) as client:
        assert client.classify_request({}) is None
        assert client.classify_request({}) is None
        assert len(sink.received) == 1
        client.report_event({"type": "x", "data": None})
        assert client.flush(5)
        assert client.stats().sent == 1
        time.sleep(1.05)
        assert client.classify_request({}) is not None


async def test_slow_service_opens_circuit(sink):
    """Deadlines that pass are failures too, also where the caller gives up first."""
    sink.behave(*[lambda handler: time.sleep(0.3)] * FAILURES_TO_OPEN)
    async with AsyncAbuseClient(sink.url) as client:
        asked = [client.classify_request({}, deadline=0.1) for _ in range(FAILURES_TO_OPEN)]
        assert await asyncio.gather(*asked) == [None] * FAILURES_TO_OPEN
        await asyncio.sleep(0.1)
        assert client.stats().is_open


def test_refusal_keeps_circuit_closed(sink, behaviour):
    """A service that refuses is alive: it is asked again."""
    sink.behave(*[behaviour(400, b"{}")] * (FAILURES_TO_OPEN + 1))
    with AbuseClient(sink.url) as client:
        for _ in range(FAILURES_TO_OPEN + 1):
            assert client.classify_request({}) is None
        assert client.classify_request({}) is not None
