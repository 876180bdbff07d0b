"""The Anthropic SDK's messages and streams become cost reports, also when the reader hangs up."""

import pytest

from abuse_client.integrations.anthropic import metered_async_stream, metered_stream, report_answer
from abuse_client.integrations.usage import Price

anthropic = pytest.importorskip("anthropic")

PRICE = Price(input=3.0, output=15.0, cache_hit=0.3, cache_write=3.75)
ASK = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
PROMPT = {"input_tokens": 100, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 200}
WHOLE = {"input_tokens": 1_100, "output_tokens": 50, "cache_hit_tokens": 800, "cache_write_tokens": 200}
COST = round(100 * 3 + 800 * 0.3 + 200 * 3.75 + 50 * 15)


def message(**fields):
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_sequence": None}
    return head | {"stop_reason": None, "content": [], "usage": PROMPT | {"output_tokens": 50}} | fields


EVENTS = [
    {"type": "message_start", "message": message(usage=PROMPT | {"output_tokens": 1})},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello " * 10}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 50},
    },
    {"type": "message_stop"},
]


@pytest.fixture
def sdk(provider):
    provider.answers = {"/v1/messages": message(content=[{"type": "text", "text": "Hello"}], stop_reason="end_turn")}
    provider.streams = {"/v1/messages": EVENTS}
    with anthropic.Anthropic(base_url=provider.url, api_key="key", max_retries=0) as made:
        yield made


def test_whole_message_is_reported(sdk, passage):
    """What came from or went to a cache is part of the prompt, each at its price."""
    report_answer(passage, sdk.messages.create(**ASK), PRICE)
    passage.client.assert_cost_reported(times=1, message_id="msg_1", request_id=31, cost=COST, **WHOLE)


def test_stream_is_reported_at_end(sdk, passage):
    """A raw stream's start tells the prompt, its end the output; together they are the cost."""
    assert len(list(metered_stream(passage, sdk.messages.create(**ASK, stream=True), PRICE))) == 6
    passage.client.assert_cost_reported(times=1, message_id="msg_1", cost=COST, **WHOLE)


def test_streaming_helper_is_reported(sdk, passage):
    """The SDK's own streaming helper likewise."""
    with sdk.messages.stream(**ASK) as stream:
        assert "text" in [event.type for event in metered_stream(passage, stream, PRICE)]
    passage.client.assert_cost_reported(times=1, message_id="msg_1", cost=COST, **WHOLE)


def test_cut_stream_is_judged(sdk, passage):
    """Of a stream that is cut short the prompt is known and the output is judged by what came."""
    stream = sdk.messages.create(**ASK, stream=True)
    reading = metered_stream(passage, stream, PRICE)
    for _ in range(3):
        next(reading)
    reading.close()
    passage.client.assert_cost_reported(times=1, message_id="msg_1", **WHOLE | {"output_tokens": 15})
    assert stream.response.is_closed


async def test_async_stream_is_reported(provider, sdk, passage):
    """The asyncio SDK's stream likewise."""
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="key", max_retries=0) as async_sdk:
        stream = await async_sdk.messages.create(**ASK, stream=True)
        assert len([event async for event in metered_async_stream(passage, stream, PRICE)]) == 6
    passage.client.assert_cost_reported(times=1, message_id="msg_1", cost=COST, **WHOLE)
