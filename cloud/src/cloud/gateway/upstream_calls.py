"""Talking to the provider: a whole answer, or a stream that is read to its end even when nobody listens any more."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from cloud.gateway.chat import Chat
from cloud.gateway.usage import Usage, read_usage
from cloud.settings import Settings

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0

Account = Callable[[str, Usage], Awaitable[None]]
"""Takes the message id and what it used, once an answer."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer of the provider, passed on as it came."""

    status: int
    body: bytes


class Upstream:
    """The provider behind one configured address."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.upstream_url.rstrip("/") + "/chat/completions"
        self._key = settings.upstream_key
        self._http = httpx.AsyncClient(timeout=settings.upstream_timeout_seconds)
        self._streams: set[asyncio.Task[None]] = set()

    async def ask(self, chat: Chat, account: Account) -> Answer:
        """Return the whole answer, accounted for."""
        response = await self._http.send(self._request(chat))
        answer = parse(response.content) if response.is_success else None
        usage = read_usage(answer)
        if answer is not None and usage is not None:
            await account(message_id_of(answer), usage)
        return Answer(status=response.status_code, body=response.content)

    async def stream(self, chat: Chat, account: Account) -> Answer | AsyncIterator[bytes]:
        """Return the lines of the stream, or the whole answer when the provider refuses."""
        response = await self._http.send(self._request(chat), stream=True)
        if not response.is_success:
            return Answer(status=response.status_code, body=await response.aread())
        # A reader who hangs up still costs money: the stream is read by a task of its own, to its end.
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        task = asyncio.create_task(pump(response, lines, account, chat.wants_usage_chunk))
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        return drain(lines)

    async def close(self) -> None:
        """Give the streams that are under way a moment, then hang up."""
        if self._streams:
            _, unfinished = await asyncio.wait(self._streams, timeout=CLOSE_SECONDS)
            for stream in unfinished:
                stream.cancel()
        await self._http.aclose()

    def _request(self, chat: Chat) -> httpx.Request:
        key = chat.caller.own_key or (self._key.get_secret_value() if self._key else None)
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        return self._http.build_request("POST", self._address, content=chat.upstream_body(), headers=headers)


async def pump(
    response: httpx.Response, lines: asyncio.Queue[bytes | None], account: Account, wants_usage: bool
) -> None:
    """Read the stream to its end, pass its lines on, and account for it before saying that it ended."""
    reading = Reading(wants_usage=wants_usage)
    try:
        async for line in response.aiter_lines():
            if reading.passes_on(line):
                lines.put_nowait(line.encode() + b"\n")
    except httpx.HTTPError as error:
        logger.warning("a stream broke off: %s", type(error).__name__)
    finally:
        # What an answer used is unknown when the stream broke off before telling it; unknown is not zero.
        try:
            await response.aclose()
            if reading.usage is not None:
                await account(reading.message_id or made_up_id(), reading.usage)
        finally:
            lines.put_nowait(None)


@dataclass(kw_only=True)
class Reading:
    """What a stream has told so far."""

    wants_usage: bool
    message_id: str = ""
    usage: Usage | None = None
    _skips_blank: bool = False

    def passes_on(self, line: str) -> bool:
        """Take the line in; say whether the reader gets it. The usage chunk that only we asked for is ours."""
        chunk = parse(line.removeprefix("data:").encode()) if line.startswith("data:") else None
        if chunk is not None:
            self.message_id = self.message_id or message_id_of(chunk)
            self.usage = read_usage(chunk) or self.usage
        is_ours = chunk is not None and chunk.get("choices") == [] and not self.wants_usage
        # The blank line that ends our chunk is ours too.
        ends_ours, self._skips_blank = self._skips_blank and not line, is_ours
        return not (is_ours or ends_ours)


async def drain(lines: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (line := await lines.get()) is not None:
        yield line


def parse(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def message_id_of(answer: dict[str, Any]) -> str:
    found = answer.get("id")
    return found if isinstance(found, str) and found else made_up_id()


def made_up_id() -> str:
    return f"msg-{uuid4().hex}"
