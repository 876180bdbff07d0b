"""The lean connection: whole answers only, and never a wait for what will not come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from abuse_lab.lane import Lane, LaneLost, NotThisMachine, local_address, request_bytes

REQUEST = request_bytes("/api/noop", b"{}")
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nbody"


@asynccontextmanager
async def lane_to(*pieces: bytes) -> AsyncIterator[Lane]:
    """A connection to somebody who answers each request with these pieces, a moment apart, and then hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(2):
                await reader.readexactly(len(REQUEST))
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.close()
        hung_up.set()

    hung_up = asyncio.Event()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        lane = await Lane.open(*server.sockets[0].getsockname())
        try:
            yield lane
        finally:
            lane.close()
            await asyncio.wait_for(hung_up.wait(), 5)


@pytest.mark.parametrize("cut", [1, 15, 40, len(ANSWER) - 2])
async def test_answer_in_pieces_is_whole(cut: int) -> None:
    """An answer counts when its last byte is there, wherever it was cut."""
    async with lane_to(ANSWER[:cut], ANSWER[cut:]) as lane:
        assert await lane.ask(REQUEST) == (202, b"body")
        assert await lane.ask(REQUEST) == (202, b"body")
        with pytest.raises(LaneLost):
            await lane.ask(REQUEST)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"])
async def test_answer_without_length_is_lost(answer: bytes) -> None:
    """What can't be told whole is no answer."""
    async with lane_to(answer) as lane:
        with pytest.raises(LaneLost):
            await lane.ask(REQUEST)


def test_request_is_whole() -> None:
    """A request carries its length and what else it is given."""
    assert request_bytes("/p", b"{}", [("CF-Access-Client-Id", "a")]) == (
        b"POST /p HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\nCF-Access-Client-Id: a\r\n"
        b"content-length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://192.0.2.1:80", "http://127.0.0.1", "example.com"])
def test_other_machines_are_refused(url: str) -> None:
    """Only a port of this machine is an address for traffic."""
    with pytest.raises(NotThisMachine):
        local_address(url)


def test_this_machine_is_told() -> None:
    """Host and port of a service on this machine."""
    assert local_address("http://127.0.0.1:8787/") == ("127.0.0.1", 8787)
    assert local_address("http://[::1]:8787") == ("::1", 8787)
