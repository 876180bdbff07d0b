"""Usage of the OpenAI SDK's answers and streams, reported as their cost. Chat completions, responses, completions.

```python
answer = openai.chat.completions.create(…)
report_answer(passage, answer, Price(input=0.15, output=0.6))

stream = openai.chat.completions.create(…, stream=True, stream_options={"include_usage": True})
for chunk in metered_stream(passage, stream, Price(input=0.15, output=0.6)):
    …
```
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

from abuse_client.gateway.passage import Passage
from abuse_client.integrations import streams
from abuse_client.integrations.usage import Costing, Meter, Usage, count, length, read

T = TypeVar("T")


def usage_of(answer: Any) -> Usage | None:
    """What an answer, or a stream's last piece, says that it used; plain JSON is read like the SDK's objects."""
    told = read(answer, "usage")
    if told is None:
        return None
    prompt, written = count(told, "prompt_tokens"), count(told, "completion_tokens")
    details = read(told, "prompt_tokens_details") or read(told, "input_tokens_details")
    return Usage(
        input_tokens=prompt or count(told, "input_tokens"),
        output_tokens=written or count(told, "output_tokens"),
        cache_hit_tokens=count(details, "cached_tokens"),
    )


def report_answer(passage: Passage, answer: Any, costing: Costing) -> None:
    """Report what a whole answer cost."""
    meter = Meter(passage, costing)
    take(meter, answer)
    streams.report(meter)


def metered_stream(
    passage: Passage, stream: Iterable[T], costing: Costing, *, prompt_characters: int = 0
) -> Iterator[T]:
    """The same stream; at its end, or when its reader hangs up, its cost is reported.

    Ask for the usage (``stream_options={"include_usage": True}`` with chat completions). A stream that ends before it
    told it is judged by the length of what came, and of the prompt if you say it.
    """
    return streams.metered(stream, Meter(passage, costing, prompt_characters=prompt_characters), take)


def metered_async_stream(
    passage: Passage, stream: AsyncIterable[T], costing: Costing, *, prompt_characters: int = 0
) -> AsyncIterator[T]:
    """The same for asyncio."""
    return streams.metered_async(stream, Meter(passage, costing, prompt_characters=prompt_characters), take)


def take(meter: Meter, piece: Any) -> None:
    """Take in an answer or a piece of one."""
    whole = read(piece, "response") or piece  # an event of the responses' stream carries the response
    named = read(whole, "id")
    if isinstance(named, str) and named:
        meter.message_id = meter.message_id or named
    model = read(whole, "model")
    meter.model = model if isinstance(model, str) and model else meter.model
    meter.usage = usage_of(whole) or meter.usage
    meter.written_characters += _written(piece)


def _written(piece: Any) -> int:
    delta = read(piece, "delta")
    if isinstance(delta, str):
        return len(delta)
    written = 0
    for choice in read(piece, "choices") or ():
        said = read(choice, "delta") or read(choice, "message") or {}
        calls = [read(call, "function") for call in read(said, "tool_calls") or ()]
        written += length(read(choice, "text")) + length(read(said, "content"))
        written += sum(length(read(call, "arguments")) for call in calls)
    return written
