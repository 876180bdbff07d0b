"""How committed events lie in a block: length-prefixed MessagePack lists, one an append."""

from collections.abc import Iterable

import msgspec

from abuse_service.events.event import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode
_LENGTH_BYTES = 4


def pack_events(events: list[Event]) -> bytes:
    """One append, ready to be laid into a block."""
    packed = _encode(events)
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


def unpack_block(body: bytes) -> Iterable[Event]:
    """The events of a block, in order."""
    view, start = memoryview(body), 0
    while start < len(body):
        end = start + _LENGTH_BYTES + int.from_bytes(view[start : start + _LENGTH_BYTES], "big")
        yield from _decode(view[start + _LENGTH_BYTES : end])
        start = end
