"""``python -m abuse_lab.bench.embedding.sink``: takes whatever it is sent, from anybody, and remembers the marks in it.

``GET /-/marks/TAG`` answers how many different marks of a tag came, and how many in all. ``POST /-/outage?SECONDS``
hangs up on everybody and listens no more for so long.
"""

import asyncio
import contextlib
import gzip
import json
import re
import zlib
from collections import defaultdict

_MARK = re.compile(rb"mark-([a-z0-9]+)-(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CODING = re.compile(rb"content-encoding: *(gzip|deflate)", re.IGNORECASE)
_OUR_ANSWER = {"success": True, "accepted": 1, "duplicates": 0, "unknown_types": [], "rejected": []}
_CLASSIFICATION = {
    "verdict": "ALLOW",
    "risk_score": 0.0,
    "signals": [],
    "action_metadata": {},
    "context": {"identity_key": "user:1", "current_spend_1h": 0, "is_new_user": True, "requests_per_second": 0.1},
    "request_id": 17,
}


class Sink:
    """What came, and how to answer it."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, set[bytes]] = defaultdict(set)
        self._counts: dict[bytes, int] = defaultdict(int)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._outages: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        """Listen on the port of before, or on any; returns it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def _fail_for(self, seconds: float) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(seconds)
        await self.listen()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"100-continue" in head:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await _read_body(reader, head)
                path = head.split(b" ", 2)[1].decode()
                answer = json.dumps(self._answer(path, _plain(head, body))).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
                    + answer
                )
        self._writers.discard(writer)
        writer.close()

    def _answer(self, path: str, body: bytes) -> dict[str, object]:
        if path.startswith("/-/outage?"):
            outage = asyncio.create_task(self._fail_for(float(path.partition("?")[2])))
            self._outages.add(outage)
            outage.add_done_callback(self._outages.discard)
            return {}
        if path.startswith("/-/marks/"):
            tag = path.rpartition("/")[2].encode()
            return {"different": len(self._numbers[tag]), "all": self._counts[tag]}
        for tag, number in _MARK.findall(body):
            self._numbers[tag].add(number)
            self._counts[tag] += 1
        return _CLASSIFICATION if path.endswith("/api/classify") else _OUR_ANSWER


async def _read_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = _LENGTH.search(head)
    if length:
        return await reader.readexactly(int(length[1]))
    body = b""
    if b"chunked" in head.lower():
        while size := int((await reader.readline()).strip() or b"0", 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return body


def _plain(head: bytes, body: bytes) -> bytes:
    coding = _CODING.search(head)
    if coding is None and body[:2] != b"\x1f\x8b":
        return body
    return zlib.decompress(body) if coding and coding[1].lower() == b"deflate" else gzip.decompress(body)


async def _main() -> None:
    print(await Sink().listen(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
