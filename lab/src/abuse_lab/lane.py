"""One keep-alive HTTP/1.1 connection to a service on this machine, as cheap as Python allows.

A load generator must cost less than what it measures: requests are prebuilt bytes, answers are cut by their
content-length, nothing else of HTTP is read. The service answers every POST that way.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Answered = Callable[[int, bytes], None]


class LaneLost(ConnectionError):
    """the service closed the connection before it answered"""


class NotThisMachine(ValueError):
    """traffic is made for services on this machine only"""


def local_address(url: str) -> tuple[str, int]:
    """Host and port of a service on this machine. Raises `NotThisMachine`."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.port is None:
        raise NotThisMachine(f"found {url}, expected http://127.0.0.1:PORT: traffic is for this machine only")
    return parts.hostname, parts.port


def request_bytes(path: str, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A whole POST of JSON, ready to be sent."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"POST {path} HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\n{more}content-length: "
    return b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body)


class Lane(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""
        self._answered: Answered | None = None
        self._lost: Callable[[], None] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> "Lane":
        """A connection to the service. Raises `OSError`."""
        _, lane = await asyncio.get_running_loop().create_connection(cls, host, port)
        return lane

    def send(self, request: bytes, answered: Answered, lost: Callable[[], None]) -> None:
        """Send a request; ``answered`` is called with status and body, or ``lost`` when none will come."""
        if self._transport is None or self._transport.is_closing():
            lost()
            return
        self._answered, self._lost = answered, lost
        self._transport.write(request)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; its status and body. Raises `LaneLost`."""
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

        def answered(status: int, body: bytes) -> None:
            if not future.done():
                future.set_result((status, body))

        def lost() -> None:
            if not future.done():
                future.set_exception(LaneLost("the service closed the connection before it answered"))

        self.send(request, answered, lost)
        return await future

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _content_length(self._buffer[:end])
        if length is None:
            self.close()
            return
        if len(self._buffer) < end + 4 + length:
            return
        status, body = int(self._buffer[9:12]), self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        answered, self._answered, self._lost = self._answered, None, None
        if answered is not None:
            answered(status, body)

    def connection_lost(self, exc: Exception | None) -> None:
        lost, self._answered, self._lost = self._lost, None, None
        if lost is not None:
            lost()


def _content_length(head: bytes) -> int | None:
    start = head.lower().find(b"\r\ncontent-length:")
    value = head[start + 17 :].split(b"\r\n", 1)[0].strip()
    return int(value) if start >= 0 and value.isdigit() else None
