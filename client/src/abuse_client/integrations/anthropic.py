"""Usage of the Anthropic SDK's messages and streams, reported as their cost.

```python
message = anthropic.messages.create(…)
report_answer(passage, message, Price(input=3, output=15, cache_hit=0.3, cache_write=3.75))

with anthropic.messages.stream(…) as stream:
    for event in metered_stream(passage, stream, price):
        …
```
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from abuse_client.gateway.passage import Passage
from abuse_client.integrations import streams
from abuse_client.integrations.usage import CHARACTERS_A_TOKEN, Costing, Meter, Usage, count, length, read

T = TypeVar("T")


def usage_of(told: Any) -> Usage:
    """What a message's ``usage`` says. What came from or went to a cache is part of the prompt."""
    hit, write = count(told, "cache_read_input_tokens"), count(told, "cache_creation_input_tokens")
    return Usage(
        input_tokens=count(told, "input_tokens") + hit + write,
        output_tokens=count(told, "output_tokens"),
        cache_hit_tokens=hit,
        cache_write_tokens=write,
    )


def report_answer(passage: Passage, message: Any, costing: Costing) -> None:
    """Report what a whole message cost."""
    meter = Meter(passage, costing)
    take(meter, message)
    streams.report(meter)


def metered_stream(passage: Passage, stream: Iterable[T], costing: Costing) -> Iterator[T]:
    """The same stream; at its end, or when its reader hangs up, its cost is reported.

    A message tells its prompt at the start and its output at the end; of one that is cut short the output is judged by
    the length of what came.
    """
    return streams.metered(stream, Meter(passage, costing), take)


def metered_async_stream(passage: Passage, stream: AsyncIterable[T], costing: Costing) -> AsyncIterator[T]:
    """The same for asyncio."""
    return streams.metered_async(stream, Meter(passage, costing), take)


def take(meter: Meter, piece: Any) -> None:
    """Take in a message or an event of its stream."""
    kind = read(piece, "type")
    if kind in ("message", "message_start"):
        message = read(piece, "message") or piece
        meter.message_id = read(message, "id") or meter.message_id
        meter.model = read(message, "model") or meter.model
        meter.usage = usage_of(read(message, "usage"))
    elif kind == "content_block_delta":
        delta = read(piece, "delta")
        meter.written_characters += sum(length(read(delta, name)) for name in ("text", "partial_json", "thinking"))
        if meter.usage is not None:  # what the start said of the output is a beginning, not the whole
            judged = -(-meter.written_characters // CHARACTERS_A_TOKEN)
            if judged > meter.usage.output_tokens:
                meter.usage = msgspec.structs.replace(meter.usage, output_tokens=judged, is_estimate=True)
    elif kind == "message_delta":
        _take_end(meter, read(piece, "usage"))


def _take_end(meter: Meter, told: Any) -> None:
    # The end counts the output whole; the prompt it may leave out.
    end, start = usage_of(told), meter.usage or Usage()
    whole = end if end.input_tokens else msgspec.structs.replace(start, output_tokens=end.output_tokens)
    meter.usage = msgspec.structs.replace(whole, is_estimate=False)
