"""The guard for asyncio does what the one for threads does, without holding up the loop."""

import asyncio
import time
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client import AsyncAbuseClient
from abuse_client.contract import ResolvedAction
from abuse_client.gateway import AsyncGuard, Guard, GuardSettings
from abuse_client.testing import AsyncRecordingClient, RecordingClient, classification

ASKED = {"kilo_user_id": "user-1", "ip_address": "192.0.2.7"}
COST = {"message_id": "msg-1", "cost": 4200}


class HeldBack(AsyncRecordingClient):
    """A client whose answers wait until they are let go."""

    def __init__(self):
        super().__init__()
        self.held_back = []

    def start_classification(self, payload, deadline=2.0):
        started = Future()
        self.held_back.append((started, super().start_classification(payload, deadline).result()))
        return started

    def let_go(self):
        for started, answer in self.held_back:
            started.set_result(answer)


async def admitted(guard, asked=ASKED):
    """A passage whose answer has come."""
    passage = await guard.admit(asked, lingers=False)
    await asyncio.wait_for(asyncio.wrap_future(passage._answering), 5)
    return passage


async def test_newcomer_never_waits():
    """Of whom nothing is remembered passes at once; the next request obeys the answer, its cost names the request."""
    client = HeldBack()
    client.answer(classification("block", request_id=5))
    guard = AsyncGuard(client)
    passage = await guard.admit(ASKED)
    assert passage.classification is None
    passage.report_cost(**COST)
    client.let_go()
    await asyncio.wrap_future(passage._answering)
    client.assert_cost_reported(times=1, request_id=5)
    assert (await guard.admit(ASKED)).refusal.code == "abuse_blocked"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, None, *ResolvedAction])), max_size=10))
def test_both_guards_agree(requests):
    """For any requests and answers the two guards rule alike."""

    def told(action):
        return classification(request_id=0) if action == 0 else classification(action)

    client = RecordingClient()
    guard, rulings = Guard(client), []
    for user, action in requests:
        client.answer(told(action))
        passage = guard.admit({"kilo_user_id": user}, lingers=False)
        passage._answering.result(5)
        rulings.append(passage.ruling)

    async def the_same():
        async_client = AsyncRecordingClient()
        async_guard = AsyncGuard(async_client)
        for user, action in requests:
            async_client.answer(told(action))
            yield (await admitted(async_guard, {"kilo_user_id": user})).ruling

    async def collected():
        return [ruling async for ruling in the_same()]

    assert asyncio.run(collected()) == rulings


async def test_flush_hands_costs_over():
    """At an orderly end the costs that wait for their answers are with the client; too short a flush says so."""
    client = HeldBack()
    client.answer(classification("nothing"))
    guard = AsyncGuard(client)
    assert await guard.flush(0)
    for number in range(20):
        (await guard.admit({"kilo_user_id": f"user-{number}"})).report_cost(**COST)
    assert await guard.flush(0.01) is False
    client.let_go()
    assert await guard.flush(5)
    assert len(client.costs) == 20


async def test_quarantine_lets_others_run():
    """A quarantined request waits without holding up the loop."""
    client = AsyncRecordingClient()
    client.answer(classification("quarantine-2"))
    guard = AsyncGuard(client, GuardSettings(quarantine_2_s=0.3))
    await admitted(guard)
    began, slow = time.monotonic(), asyncio.create_task(guard.admit(ASKED))
    await admitted(guard, {"kilo_user_id": "user-2"})
    assert time.monotonic() - began < 0.2
    await slow
    assert time.monotonic() - began >= 0.3


async def test_real_client_is_asked(sink):
    """With the real client a cut stream's cost still leaves with the request id."""
    async with AsyncAbuseClient(sink.url) as client:
        guard = AsyncGuard(client)

        async def stream():
            passage = await guard.admit(ASKED)
            try:
                for number in range(100):
                    yield number
                    await asyncio.sleep(0)
            finally:
                passage.report_cost(**COST)

        reading = stream()
        assert await anext(reading) == 0
        await reading.aclose()  # the reader hangs up
        assert await guard.flush(5)
        assert await client.flush(5)
    assert [one.path for one in sink.received] == ["/api/classify", "/api/usage/cost"]
    assert sink.received[1].fields["request_id"] == 17


def test_answer_outlives_its_loop():
    """A loop that ends before the answer loses neither that nor the cost: the next loop's request obeys it."""
    client = HeldBack()
    client.answer(classification("block", request_id=6))
    guard = AsyncGuard(client)

    async def short():
        passage = await guard.admit(ASKED)
        passage.report_cost(**COST)

    asyncio.run(short())
    client.let_go()
    client.assert_cost_reported(times=1, request_id=6)
    assert asyncio.run(guard.admit(ASKED)).refusal.code == "abuse_blocked"


@pytest.mark.parametrize("always_waits", [True, False])
async def test_strict_client_raises(always_waits):
    """In development a wrong payload raises where it is admitted, whether the request waits for its answer or not."""

    class Strict(AsyncRecordingClient):
        async def classify_request(self, payload, deadline=2.0):
            raise ValueError("wrong payload")

        def start_classification(self, payload, deadline=2.0):
            raise ValueError("wrong payload")

    with pytest.raises(ValueError, match="wrong payload"):
        await AsyncGuard(Strict(), GuardSettings(always_waits=always_waits)).admit(ASKED)
