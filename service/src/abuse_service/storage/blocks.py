"""How committed events lie in a block: length-prefixed MessagePack lists, one an append.

Where events were erased (0023) zeros fill the block up to the length that it had.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from abuse_service.events.event import Event

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode
_decode_one = msgspec.msgpack.Decoder(Event).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_LENGTH_BYTES = 4
_POSITION_BYTES = 8
_WIDE = 1 << 32
_HEAD_BYTES = 5
_ARRAY_16, _ARRAY_32 = 0xDC, 0xDD

GONE = Event("", "", 0, 0, b"")
"""What stands in a block where an event was erased: no event that was ever taken is as short."""
_GONE = msgspec.Raw(_encode(GONE))


def checksum(position: int, body: bytes) -> int:
    """What tells a row of the log that was damaged, or stands in another's place: CRC-32 over position and body.

    A bit above it makes every one as wide in SQLite's rows: one that changed its width would move the row, and leave
    bytes of it behind (0023).
    """
    return _WIDE | zlib.crc32(body, zlib.crc32(position.to_bytes(_POSITION_BYTES, "big")))


def pack_events(events: list[Event]) -> bytes:
    """One append, ready to be laid into a block."""
    return _with_length(_encode(events))


def unpack_block(body: bytes, skip: int = 0) -> Iterable[Event]:
    """The events of a block, in order; the first ``skip`` are left out, most of them unread."""
    for part in _parts(body):
        if skip and (events := _count(part[:_HEAD_BYTES])) <= skip:
            skip -= events
            continue
        yield from _decode(part)[skip:] if skip else _decode(part)
        skip = 0


def pick_events(body: bytes, places: Iterable[int]) -> dict[int, Event]:
    """Some of a block's events by their places from 0, the others unread; a place beyond its end is left out."""
    found: dict[int, Event] = {}
    wanted = sorted(places)
    first = 0
    for part in _parts(body):
        if len(found) == len(wanted):
            break
        end = first + _count(part[:_HEAD_BYTES])
        if wanted[len(found)] < end:
            raws = _split(part)
            while len(found) < len(wanted) and wanted[len(found)] < end:
                place = wanted[len(found)]
                found[place] = _decode_one(raws[place - first])
        first = end
    return found


def replace_in_block(body: bytes, places: Sequence[int]) -> tuple[bytes, int]:
    """A block of the same length in which the events at these places are gone; and how many of the places it has.

    ``places`` count from 0 and are in order; those behind the block's end are left to the next. The other events stay
    to the byte.
    """
    first = reached = 0
    parts: list[bytes] = []
    for part in _parts(body):
        events = _split(part)
        while reached < len(places) and places[reached] < first + len(events):
            events[places[reached] - first] = _GONE
            reached += 1
        first += len(events)
        parts.append(_with_length(_encode(events)))
    return b"".join(parts).ljust(len(body), b"\0"), reached


def _parts(body: bytes) -> Iterator[memoryview]:
    view, start = memoryview(body), 0
    while start < len(body):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(view[start:begin], "big")
        if start == begin:
            return  # the filling
        yield view[begin:start]


def _with_length(packed: bytes) -> bytes:
    return len(packed).to_bytes(_LENGTH_BYTES, "big") + packed


def _count(head: memoryview) -> int:
    """How many elements a MessagePack array has, by its first bytes."""
    if head[0] == _ARRAY_16:
        return int.from_bytes(head[1:3], "big")
    return int.from_bytes(head[1:5], "big") if head[0] == _ARRAY_32 else head[0] & 0x0F
