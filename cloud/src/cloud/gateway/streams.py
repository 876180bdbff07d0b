"""A provider's stream on its way to the reader: passed on as it came, read for what it tells of its cost."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import msgspec

from cloud.gateway.accounting import Account
from cloud.gateway.llm_request import LlmRequest

logger = logging.getLogger(__name__)

MAX_EVENT_BYTES = 16 * 2**20
END_SECONDS = 1.0
EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
DONE = b"[DONE]"
CUT = ("upstream_cut", "the provider broke off in the middle of its answer")

Keep = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs something to its end, whatever becomes of the request."""


class Stream:
    """One streamed answer. It is accounted for before the reader sees its end, and when he hangs up before that.

    Then the provider is hung up on too, and what came until then is what the answer cost.
    """

    def __init__(self, response: aiohttp.ClientResponse, asked: LlmRequest, account: Account, keep: Keep) -> None:
        self._response = response
        self._asked = asked
        self._account = account
        self._reading = Reading(asked, account)
        self._keep = keep
        self._settling: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the events as they came, several at once where they came so."""
        reading = self._reading
        try:
            async for chunk in self._response.content.iter_any():
                passed = reading.take(chunk)
                if reading.is_over:
                    await asyncio.shield(self._settle())
                if passed:
                    yield passed
        except (aiohttp.ClientError, TimeoutError, EndlessEvent) as error:
            logger.warning("a stream broke off: %s", type(error).__name__)
        await asyncio.shield(self._settle())
        if not reading.is_whole:
            yield self._asked.dialect.failure_event(502, *CUT)

    def hang_up(self) -> None:
        """Account for what came, if that was not done, and leave the provider alone."""
        if self._reading.is_over and not self._response.content.at_eof():
            _ = self._keep(self._await_end())
        else:
            self._response.close()
        _ = self._settle()

    async def _await_end(self) -> None:
        # Readers leave at the last event; a moment later the connection is free for another request.
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._response.read()
        except (aiohttp.ClientError, TimeoutError):
            pass
        finally:
            self._response.close()

    def _settle(self) -> asyncio.Task[None]:
        if self._settling is None:
            self._settling = self._keep(self._account.settle())
        return self._settling


class EndlessEvent(Exception):
    """an event of the stream is longer than any that can be meant"""


class Reading:
    """Reads a stream's events as they pass."""

    def __init__(self, asked: LlmRequest, account: Account) -> None:
        self._dialect = asked.dialect
        self._hides_usage = not asked.wants_usage
        self._account = account
        self._rest = b""
        self.is_whole = False
        """The answer has been told to its end."""
        self.is_over = False
        """Nothing more is to come."""

    def take(self, chunk: bytes) -> bytes:
        """Take in what came, and return the whole events of it that the reader gets, unchanged."""
        held = self._rest + chunk
        passed: list[bytes] = []
        start = 0
        for end in EVENT_END.finditer(held):
            event = held[start : end.end()]
            start = end.end()
            if self._is_for_reader(event):
                passed.append(event)
        self._rest = held[start:]
        if len(self._rest) > MAX_EVENT_BYTES:
            raise EndlessEvent
        return b"".join(passed)

    def _is_for_reader(self, event: bytes) -> bool:
        told = data_of(event)
        if told == DONE:
            self.is_whole = self.is_over = True
            return True
        piece = parse(told) if told else None
        if piece is None:
            return True
        self._account.take(piece)
        if self._dialect.ends(piece):
            self.is_whole = True
            self.is_over = self.is_over or self._dialect.names_events  # the others say so by themselves
        # The usage that only we asked for is ours.
        return not (self._hides_usage and piece.get("choices") == [] and piece.get("usage"))


def data_of(event: bytes) -> bytes:
    """Return the data of a server-sent event."""
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def parse(text: bytes) -> dict[str, Any] | None:
    """Return the object, or nothing of what is none."""
    try:
        read = msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            read = json.loads(text)  # it reads half a surrogate pair too
        except (ValueError, RecursionError):
            return None
    return read if isinstance(read, dict) else None
