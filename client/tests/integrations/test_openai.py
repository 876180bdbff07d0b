"""The OpenAI SDK's answers and streams become cost reports, also when the reader hangs up."""

import pytest

from abuse_client.integrations.openai import metered_async_stream, metered_stream, report_answer, usage_of
from abuse_client.integrations.usage import Price, Usage

openai = pytest.importorskip("openai")

has_responses = pytest.mark.skipif(
    not hasattr(openai.OpenAI, "responses"), reason="the responses API is younger than the oldest SDK supported"
)

PRICE = Price(input=2.0, output=8.0, cache_hit=0.5)
MESSAGES = [{"role": "user", "content": "Hi"}]
USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "total_tokens": 1_050,
    "prompt_tokens_details": {"cached_tokens": 400},
}
COST = 600 * 2 + 400 * 0.5 + 50 * 8
REPORT = {"request_id": 31, "kilo_user_id": "user-1", "input_tokens": 1_000, "output_tokens": 50, "cost": COST}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": USAGE,
}


def chunk(content=None, usage=None, **delta):
    choices = [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": None}] if usage is None else []
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    return head | {"choices": choices, "usage": usage}


CHUNKS = [chunk("Hel" * 8), chunk("lo" * 8), chunk(usage=USAGE)]

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-x",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 1_000,
        "output_tokens": 50,
        "total_tokens": 1_050,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
RESPONSE_EVENTS = [
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE | {"usage": None}},
    {
        "type": "response.output_text.delta",
        "sequence_number": 1,
        "item_id": "i",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hello" * 4,
        "logprobs": [],
    },
    {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
]


@pytest.fixture
def sdk(provider):
    provider.answers = {"/chat/completions": CHAT, "/responses": RESPONSE}
    provider.streams = {"/chat/completions": CHUNKS, "/responses": RESPONSE_EVENTS}
    with openai.OpenAI(base_url=provider.url, api_key="key", max_retries=0) as made:
        yield made


def test_whole_answer_is_reported(sdk, passage):
    """A chat completion's own usage becomes its cost, cached tokens at their price."""
    report_answer(passage, sdk.chat.completions.create(model="gpt-x", messages=MESSAGES), PRICE)
    passage.client.assert_cost_reported(times=1, message_id="chatcmpl-1", cache_hit_tokens=400, **REPORT)


@has_responses
def test_response_is_reported(sdk, passage):
    """An answer of the responses API as well."""
    report_answer(passage, sdk.responses.create(model="gpt-x", input="Hi"), PRICE)
    passage.client.assert_cost_reported(times=1, message_id="resp_1", cache_hit_tokens=400, **REPORT)


def test_stream_is_reported_at_end(sdk, passage):
    """A stream passes unchanged and is reported once, by the usage that its last chunk tells."""
    stream = sdk.chat.completions.create(
        model="gpt-x", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    said = []
    for piece in metered_stream(passage, stream, PRICE):
        passage.client.assert_nothing_reported()
        said += [choice.delta.content for choice in piece.choices]
    assert said == ["Hel" * 8, "lo" * 8]
    passage.client.assert_cost_reported(times=1, message_id="chatcmpl-2", **REPORT)


@has_responses
def test_stream_of_responses_is_reported(sdk, passage):
    """So is a stream of the responses API."""
    stream = sdk.responses.create(model="gpt-x", input="Hi", stream=True)
    assert len(list(metered_stream(passage, stream, PRICE))) == 3
    passage.client.assert_cost_reported(times=1, message_id="resp_1", **REPORT)


def test_cut_stream_is_judged(sdk, passage):
    """A reader who hangs up still costs money: the output is judged by what came, the prompt by its length."""
    stream = sdk.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
    reading = metered_stream(passage, stream, PRICE, prompt_characters=4_001)
    next(reading)
    reading.close()
    cost = 1_001 * 2 + 6 * 8
    passage.client.assert_cost_reported(
        times=1, message_id="chatcmpl-2", input_tokens=1_001, output_tokens=6, cost=cost
    )
    assert stream.response.is_closed


async def test_async_stream_is_reported(provider, sdk, passage):
    """The asyncio SDK's stream likewise, whole and cut."""
    async with openai.AsyncOpenAI(base_url=provider.url, api_key="key", max_retries=0) as async_sdk:
        for cut in (False, True):
            passage.client.costs.clear()
            stream = await async_sdk.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
            reading = metered_async_stream(passage, stream, PRICE)
            pieces = [await anext(reading)] if cut else [piece async for piece in reading]
            await reading.aclose()
            assert len(pieces) == (1 if cut else 3)
            passage.client.assert_cost_reported(times=1, output_tokens=6 if cut else 50)
            assert stream.response.is_closed


def test_tool_calls_count_as_written(passage):
    """Arguments of a tool call are written tokens too, and plain JSON is read like the SDK's objects."""
    call = {"index": 0, "function": {"arguments": "x" * 40}}
    reading = metered_stream(passage, iter([chunk(tool_calls=[call]), chunk("y")]), PRICE)
    next(reading)
    reading.close()
    passage.client.assert_cost_reported(times=1, output_tokens=10)


@pytest.mark.parametrize("pieces", [[], [{}], [None], ["odd"], [{"choices": 5}]])
def test_nothing_known_is_not_reported(passage, pieces):
    """Of a stream of which nothing came nothing is reported: unknown is not zero. Odd pieces pass."""
    assert list(metered_stream(passage, pieces, PRICE)) == pieces
    passage.client.assert_nothing_reported()


def test_mistake_in_price_harms_nobody(passage):
    """A price list that fails takes no answer from its reader."""

    def fails(model, usage):
        raise KeyError(model)

    assert list(metered_stream(passage, [CHAT], fails)) == [CHAT]
    report_answer(passage, CHAT, fails)
    passage.client.assert_nothing_reported()


def test_price_is_microdollars():
    """A dollar for a million tokens is a microdollar for each; an unpriced cache costs as much as any input."""
    usage = Usage(input_tokens=100, output_tokens=10, cache_hit_tokens=40, cache_write_tokens=20)
    assert Price(input=3, output=15)("m", usage) == 100 * 3 + 10 * 15
    assert Price(input=3, output=15, cache_hit=0.3, cache_write=3.75)("m", usage) == 40 * 3 + 12 + 75 + 150
    assert usage_of({"usage": None}) is None
