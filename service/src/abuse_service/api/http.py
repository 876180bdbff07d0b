"""The little of HTTP that the routes need, on bare ASGI (ADR 0005)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from abuse_service.errors import BadRequest, ServiceError, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
_LARGE_BODY = 2**20
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """A whole response."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    retry_after_seconds: int | None = None


def error_answer(error: ServiceError) -> Answer:
    """The one JSON error shape of all routes."""
    return Answer(
        _encode({"error": error.view()}), error.status, retry_after_seconds=1 if error.status == 503 else None
    )


async def send_answer(send: Send, answer: Answer, coding: bytes | None = None) -> None:
    """Write a response; ``coding`` is how bodies may come compressed to this route."""
    headers = [(b"content-type", answer.content_type), (b"content-length", str(len(answer.body)).encode())]
    if answer.retry_after_seconds is not None:
        headers.append((b"retry-after", str(answer.retry_after_seconds).encode()))
    if coding is not None:
        headers.append((b"accept-encoding", coding))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of a name, given in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


class BodyBudget:
    """Bounds the bytes of large bodies that are in memory at once; a body above it waits its turn unread."""

    def __init__(self, most_bytes: int) -> None:
        self._free = most_bytes
        self._most = most_bytes
        self._turn = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold room for a body of ``size`` bytes, waiting until there is."""
        size = min(size, self._most)
        async with self._turn:
            await self._turn.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            async with self._turn:
                self._free += size
                self._turn.notify_all()


def announced_size(scope: Scope, most_bytes: int) -> int:
    """Bytes that the body will have at most. Raises `BadRequest` or `TooLarge`."""
    length = header(scope, b"content-length")
    if length is None:
        return most_bytes if header(scope, b"transfer-encoding") else 0
    if not length.isdigit():
        raise BadRequest("content-length is no number")
    if int(length) > most_bytes:
        raise too_large(most_bytes)
    return int(length)


def is_large(size: int) -> bool:
    """Whether a body needs room in the budget."""
    return size > _LARGE_BODY


def too_large(most_bytes: int) -> TooLarge:
    """The error for a body above its route's limit."""
    return TooLarge(f"the body is above the limit of {most_bytes // 2**20} MiB")


async def read_body(receive: Receive, most_bytes: int, seconds: float) -> bytes:
    """The whole body. Raises `TooLarge`, or `BadRequest` when it does not arrive in time or is cut off."""
    first = await _next_part(receive, seconds)
    if not first.get("more_body"):
        return _bounded(first.get("body", b""), most_bytes)
    whole = bytearray(first.get("body", b""))
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        part = await _next_part(receive, deadline - asyncio.get_running_loop().time())
        whole += part.get("body", b"")
        if len(whole) > most_bytes:
            raise too_large(most_bytes)
        if not part.get("more_body"):
            return bytes(whole)


async def _next_part(receive: Receive, seconds: float) -> MutableMapping[str, Any]:
    try:
        async with asyncio.timeout(seconds):
            part = await receive()
    except TimeoutError:
        raise BadRequest("the body did not arrive in time") from None
    if part["type"] == "http.disconnect":
        raise BadRequest("the sender hung up before the end of the body")
    return part


def _bounded(body: bytes, most_bytes: int) -> bytes:
    if len(body) > most_bytes:
        raise too_large(most_bytes)
    return body
