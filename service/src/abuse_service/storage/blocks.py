"""How committed events lie in a block: length-prefixed MessagePack lists, one an append."""

from collections.abc import Iterable

import msgspec

from abuse_service.events.event import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode
_LENGTH_BYTES = 4
_HEAD_BYTES = 5
_ARRAY_16, _ARRAY_32 = 0xDC, 0xDD


def pack_events(events: list[Event]) -> bytes:
    """One append, ready to be laid into a block."""
    packed = _encode(events)
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


def unpack_block(body: bytes, skip: int = 0) -> Iterable[Event]:
    """The events of a block, in order; the first ``skip`` are left out, most of them unread."""
    view, start = memoryview(body), 0
    while start < len(body):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(view[start:begin], "big")
        if skip and (events := _count(view[begin : begin + _HEAD_BYTES])) <= skip:
            skip -= events
            continue
        yield from _decode(view[begin:start])[skip:] if skip else _decode(view[begin:start])
        skip = 0


def _count(head: memoryview) -> int:
    """How many elements a MessagePack array has, by its first bytes."""
    if head[0] == _ARRAY_16:
        return int.from_bytes(head[1:3], "big")
    return int.from_bytes(head[1:5], "big") if head[0] == _ARRAY_32 else head[0] & 0x0F
