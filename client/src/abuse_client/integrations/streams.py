"""Streams that are read by somebody else while they are metered, for threads and asyncio."""

import inspect
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar

from abuse_client.integrations.usage import Meter

T = TypeVar("T")

log: logging.Logger = logging.getLogger("abuse_client.usage")


def metered(stream: Iterable[T], meter: Meter, take: Callable[[Meter, Any], None]) -> Iterator[T]:
    """The same stream; at its end, or when the reader hangs up, it is closed and what it used is reported."""
    try:
        for piece in stream:
            _take(meter, take, piece)
            yield piece
    finally:
        close = getattr(stream, "close", None)
        if callable(close):
            close()
        report(meter)


async def metered_async(stream: AsyncIterable[T], meter: Meter, take: Callable[[Meter, Any], None]) -> AsyncIterator[T]:
    """The same for asyncio."""
    try:
        async for piece in stream:
            _take(meter, take, piece)
            yield piece
    finally:
        report(meter)  # first: what follows may be cancelled
        close = getattr(stream, "close", None) or getattr(stream, "aclose", None)
        closing = close() if callable(close) else None
        if inspect.isawaitable(closing):
            await closing


def report(meter: Meter) -> None:
    """Report; a mistake in the product's price list must not take the answer from its reader."""
    try:
        meter.report()
    except Exception:
        log.exception("the cost of an answer could not be worked out")


def _take(meter: Meter, take: Callable[[Meter, Any], None], piece: Any) -> None:
    try:
        take(meter, piece)
    except Exception:
        log.exception("a piece of an answer could not be read")
