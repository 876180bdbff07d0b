"""How committed events lie in a block: length-prefixed MessagePack lists, one an append."""

from collections.abc import Iterable

import msgspec

from abuse_service.events.event import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode
_decode_one = msgspec.msgpack.Decoder(Event).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
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


def pick_events(body: bytes, places: Iterable[int]) -> dict[int, Event]:
    """Some of a block's events by their places from 0, the others unread; a place beyond its end is left out."""
    found: dict[int, Event] = {}
    wanted = sorted(places)
    view, start, first = memoryview(body), 0, 0
    while start < len(body) and len(found) < len(wanted):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(view[start:begin], "big")
        end = first + _count(view[begin : begin + _HEAD_BYTES])
        if wanted[len(found)] < end:
            raws = _split(view[begin:start])
            while len(found) < len(wanted) and wanted[len(found)] < end:
                place = wanted[len(found)]
                found[place] = _decode_one(raws[place - first])
        first = end
    return found


def _count(head: memoryview) -> int:
    """How many elements a MessagePack array has, by its first bytes."""
    if head[0] == _ARRAY_16:
        return int.from_bytes(head[1:3], "big")
    return int.from_bytes(head[1:5], "big") if head[0] == _ARRAY_32 else head[0] & 0x0F
