"""Which events are whose, in the order in which they happened.

An entry is 16 bytes that sort by event time, then by position in the log; the last byte sieves by the event's type.
Entries lie on disk in chunks, those of one identity and of at most `SPAN_MS` together (decision 0025).
"""

import bisect
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from struct import Struct
from typing import Protocol

import msgspec

from abuse_service.events.entity import EntityKey

Entry = bytes
"""8 bytes of event time, 7 of position, 1 of the type's sieve."""

AUDIT: EntityKey = bytes(17)
"""Whose timeline the reads of persons' records are: nobody's."""

NOBODY: EntityKey = bytes(16) + b"\1"
"""Whose timeline the events are that named nobody when they came, nor an id that somebody claimed."""

ENTRY_BYTES = 16
MOST_IN_CHUNK = 512
SPAN_MS = 60 * 60_000
"""Longest time between two entries of a chunk: who looks for an instant need not look at chunks that end later."""
MOST_CHUNKS = 2_000
"""Chunks that one page looks at: where a filter leaves little, a page ends early and its cursor goes on."""

_LATEST_MS = 2**62
_SIEVES = 256
_MASK_BITS = 62
_pack = Struct(">QQ").pack
_unpack = Struct(">QQ").unpack
_known_sieves: dict[str, int] = {}


class Chunk(msgspec.Struct, frozen=True):
    """Entries of one identity, oldest first. ``mask`` has a bit for each sieve among them."""

    newest_ms: int
    oldest_ms: int
    mask: int
    body: bytes

    @property
    def position(self) -> int:
        """Position of the newest entry."""
        return place_of(self.body[-ENTRY_BYTES:])[1]


class Page(msgspec.Struct, frozen=True):
    """Entries, newest first, and where to go on: below ``before``; ``None`` at the end."""

    entries: list[Entry]
    before: Entry | None


class KeptTimelines(Protocol):
    """The chunks of the last cut."""

    def chunks(self, identity: EntityKey, newest_ms: int, oldest_ms: int) -> Iterator[Chunk]:
        """Those that end at ``newest_ms`` or before and begin at ``oldest_ms`` or before, the latest end first."""
        ...


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: below ``before``, at ``since_ms`` or later, of these types (all, where none is named)."""

    before: Entry | None = None
    since_ms: int = 0
    types: tuple[str, ...] = ()
    most: int = 50


def entry_of(at_ms: int, position: int, event_type: str) -> Entry:
    """The entry of an event."""
    sieve = _known_sieves.get(event_type)
    if sieve is None:
        sieve = sieve_of(event_type)
    return _pack(at_ms, position << 8 | sieve)


def sieve_of(event_type: str) -> int:
    """A byte that tells most types apart; the event itself says which it is."""
    sieve = zlib.crc32(event_type.encode()) % _SIEVES
    if len(_known_sieves) < _SIEVES:
        _known_sieves[event_type] = sieve
    return sieve


def place_of(entry: Entry) -> tuple[int, int]:
    """Event time and position."""
    at_ms, rest = _unpack(entry)
    return at_ms, rest >> 8


def before_instant(at_ms: int) -> Entry:
    """The bound below which all that happened before an instant lies."""
    return _pack(at_ms, 0)


def chunks_of(entries: Sequence[Entry]) -> Iterator[Chunk]:
    """Entries of one identity, oldest first, as chunks."""
    start = 0
    while start < len(entries):
        oldest_ms = place_of(entries[start])[0]
        end = min(start + MOST_IN_CHUNK, len(entries))
        if place_of(entries[end - 1])[0] - oldest_ms > SPAN_MS:
            end = bisect.bisect_left(entries, before_instant(oldest_ms + SPAN_MS + 1), start, end)
        body = b"".join(entries[start:end])
        yield Chunk(place_of(entries[end - 1])[0], oldest_ms, _mask(body[ENTRY_BYTES - 1 :: ENTRY_BYTES]), body)
        start = end


def read_timeline(recent: Iterable[Sequence[Entry]], kept: KeptTimelines, identity: EntityKey, wish: Wish) -> Page:
    """The newest entries of an identity that fit the wish, of those in memory and those on disk."""
    at_ms = min(place_of(wish.before)[0], _LATEST_MS) if wish.before is not None else _LATEST_MS
    return read_page(recent, kept.chunks(identity, min(at_ms + SPAN_MS, _LATEST_MS), at_ms), wish)


def read_page(recent: Iterable[Sequence[Entry]], kept: Iterable[Chunk], wish: Wish) -> Page:
    """The newest entries that fit the wish, of sorted lists in memory and chunks that come the latest end first."""
    sieves = frozenset(map(sieve_of, wish.types))
    mask = _mask(sieves)
    found: list[Entry] = []
    for entries in recent:
        end = bisect.bisect_left(entries, wish.before) if wish.before is not None else len(entries)
        found += _newest_of_list(entries, end, sieves, wish.most)
    found = _merge(found, (), wish.most)
    for looked_at, chunk in enumerate(kept):
        if chunk.newest_ms < wish.since_ms:
            break
        if len(found) == wish.most and chunk.newest_ms < place_of(found[-1])[0]:
            break
        bound = before_instant(chunk.newest_ms + 1)
        if looked_at >= MOST_CHUNKS and (wish.before is None or bound < wish.before):
            # All that lies above the bound was read, and no more.
            return Page(_since([entry for entry in found if entry >= bound], wish.since_ms), bound)
        if not sieves or chunk.mask & mask:
            found = _merge(found, _newest_of_chunk(chunk.body, wish.before, sieves, wish.most), wish.most)
    is_full = len(found) == wish.most
    found = _since(found, wish.since_ms)
    return Page(found, found[-1] if is_full and len(found) == wish.most else None)


def _since(found: list[Entry], since_ms: int) -> list[Entry]:
    if not since_ms or not found or place_of(found[-1])[0] >= since_ms:
        return found
    bound = before_instant(since_ms)
    return [entry for entry in found if entry >= bound]


def _merge(found: list[Entry], more: Iterable[Entry], most: int) -> list[Entry]:
    # One entry may lie in two chunks: a power cut can come between the parts of a cut.
    return sorted({*found, *more}, reverse=True)[:most]


def _newest_of_list(entries: Sequence[Entry], end: int, sieves: Collection[int], most: int) -> list[Entry]:
    if not sieves:
        return list(entries[max(0, end - most) : end])
    newest: list[Entry] = []
    for place in range(end - 1, -1, -1):
        if entries[place][-1] in sieves:
            newest.append(entries[place])
            if len(newest) == most:
                break
    return newest


def _newest_of_chunk(body: bytes, before: Entry | None, sieves: Collection[int], most: int) -> list[Entry]:
    end = len(body) // ENTRY_BYTES
    if before is not None and body[-ENTRY_BYTES:] >= before:
        end = _place_below(body, before)
    if not sieves:
        return [body[at : at + ENTRY_BYTES] for at in range(max(0, end - most) * ENTRY_BYTES, end * ENTRY_BYTES, 16)]
    newest = []
    kinds = body[ENTRY_BYTES - 1 :: ENTRY_BYTES]
    for place in range(end - 1, -1, -1):
        if kinds[place] in sieves:
            newest.append(body[place * ENTRY_BYTES : (place + 1) * ENTRY_BYTES])
            if len(newest) == most:
                break
    return newest


def _place_below(body: bytes, before: Entry) -> int:
    """How many of a chunk's entries lie below a bound."""
    low, high = 0, len(body) // ENTRY_BYTES
    while low < high:
        middle = (low + high) // 2
        if body[middle * ENTRY_BYTES : (middle + 1) * ENTRY_BYTES] < before:
            low = middle + 1
        else:
            high = middle
    return low


def _mask(sieves: Iterable[int]) -> int:
    mask = 0
    for sieve in set(sieves):
        mask |= 1 << sieve % _MASK_BITS
    return mask
