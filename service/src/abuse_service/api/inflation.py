"""Bodies that come compressed, made plain within bounds (ADR 0020)."""

import asyncio
import zlib

from abuse_service.api.http import Scope, header, is_large, too_large
from abuse_service.errors import BadRequest, UnsupportedCoding

CODING = b"gzip"
MOST_TIMES = 100
"""How often larger than its compressed bytes a large body may be: real batches reach 15, a bomb 1,000."""

_GZIP_WINDOW = 31
_SHORTEST_BYTES = 18  # header and trailer
_SIZE_BYTES = 4


def is_compressed(scope: Scope) -> bool:
    """Whether the body is gzip. Raises `UnsupportedCoding` for any other coding."""
    coding = (header(scope, b"content-encoding") or b"identity").strip().lower()
    if coding not in (CODING, b"x-gzip", b"identity", b""):
        raise UnsupportedCoding
    return coding in (CODING, b"x-gzip")


def inflated_size(compressed_bytes: int, most_bytes: int) -> int:
    """Bytes that a compressed body will have at most, large ones at least: small ones are bounded by being small."""
    return min(compressed_bytes * MOST_TIMES, most_bytes)


async def inflated(body: bytes, most_bytes: int) -> bytes:
    """The plain body. Raises `TooLarge`, or `BadRequest` when it is no gzip or says too much in too few bytes.

    How long it will be stands at its end, so bounds are kept before a byte is inflated; one that lies is refused.
    """
    if len(body) < _SHORTEST_BYTES:
        raise BadRequest("the body is no gzip")
    size = int.from_bytes(body[-_SIZE_BYTES:], "little")
    if size > most_bytes:
        raise too_large(most_bytes)
    if not is_large(size):
        return _inflate(body, size)
    if size > MOST_TIMES * len(body):
        raise BadRequest(f"the body is more than {MOST_TIMES} times as large as its compressed bytes")
    return await asyncio.to_thread(_inflate, body, size)


def _inflate(body: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = inflater.decompress(body, size + 1)
    except zlib.error:
        raise BadRequest("the body is no gzip") from None
    if len(plain) != size or not inflater.eof or inflater.unused_data:
        raise BadRequest("the body is no single whole gzip member")
    return plain
