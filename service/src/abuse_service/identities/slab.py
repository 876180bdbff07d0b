"""Many small byte strings that change often, packed into a few large pieces of memory.

Held as objects of their own they tear holes into the heap: each change frees one size and asks for another, and after
a while the process holds three times what it uses. Here they are appended to segments, and a segment in which little
is still wanted is copied out and given back to the system.
"""

import mmap
from collections.abc import Callable

SEGMENT_BYTES = 1 << 19
_LENGTH_BITS = 24
_OFFSET_BITS = 24
_HEAD_BYTES = 4
"""Before each body: the lengths of key (1 byte) and body (3 bytes)."""
_LARGEST = (1 << _LENGTH_BITS) - 1


class Segment:
    """One piece of memory: records of head, key and body, appended until it is full."""

    __slots__ = ("memory", "used", "wanted")

    def __init__(self, size: int) -> None:
        # Mapped by itself, so that closing it gives the memory back at once.
        self.memory = mmap.mmap(-1, size)
        self.used = 0
        self.wanted = 0


class Slab:
    """Byte strings under handles, each an int. Whoever keeps a handle gives it back when it is replaced."""

    def __init__(self, is_current: Callable[[bytes, int], bool], moved: Callable[[bytes, int], None]) -> None:
        """``is_current`` says whether a key still stands for a handle, ``moved`` that it stands for a new one."""
        self._is_current = is_current
        self._moved = moved
        self._segments: dict[int, Segment] = {}
        self._next = 0
        self._open: Segment | None = None
        self._used = 0
        self._wanted = 0

    @property
    def held_bytes(self) -> int:
        """Memory that the segments take."""
        return sum(len(segment.memory) for segment in self._segments.values())

    def put(self, key: bytes, body: bytes) -> int:
        """Keep a body; returns its handle. At most 16 MiB."""
        size = _HEAD_BYTES + len(key) + len(body)
        if len(body) > _LARGEST:
            raise ValueError(f"expected at most {_LARGEST} bytes, found {len(body)}")
        segment = self._open
        if segment is None or segment.used + size > len(segment.memory):
            segment = self._begin_segment(size)
        start = segment.used
        head = len(key) << _LENGTH_BITS | len(body)
        segment.memory[start : start + size] = head.to_bytes(_HEAD_BYTES, "big") + key + body
        segment.used += size
        segment.wanted += size
        self._used += size
        self._wanted += size
        place = start + _HEAD_BYTES + len(key)
        return ((self._next << _OFFSET_BITS) | place) << _LENGTH_BITS | len(body)

    def get(self, handle: int) -> bytes:
        """The body under a handle."""
        place = handle >> _LENGTH_BITS
        start = place & ((1 << _OFFSET_BITS) - 1)
        return self._segments[place >> _OFFSET_BITS].memory[start : start + (handle & _LARGEST)]

    def give_back(self, key: bytes, handle: int) -> None:
        """The handle stands for nothing any more."""
        number = handle >> _LENGTH_BITS + _OFFSET_BITS
        segment = self._segments[number]
        size = _HEAD_BYTES + len(key) + (handle & _LARGEST)
        segment.wanted -= size
        self._wanted -= size
        if not segment.wanted and segment is not self._open:
            self._close(number)

    def tidy(self) -> None:
        """Copy the segment of which least is wanted, where more than a fifth of all is waste."""
        if self._used <= SEGMENT_BYTES or self._wanted >= self._used * 0.8:
            return
        self._copy_out(min(self._segments, key=lambda number: self._segments[number].wanted))

    def _begin_segment(self, size: int) -> Segment:
        self._next += 1
        self._open = self._segments[self._next] = Segment(max(SEGMENT_BYTES, size))
        return self._open

    def _copy_out(self, number: int) -> None:
        segment = self._segments[number]
        if segment is self._open:
            self._open = None
        memory, at = segment.memory, 0
        while at < segment.used:
            head = int.from_bytes(memory[at : at + _HEAD_BYTES], "big")
            key_at = at + _HEAD_BYTES
            start = key_at + (head >> _LENGTH_BITS)
            length = head & _LARGEST
            key = memory[key_at:start]
            handle = ((number << _OFFSET_BITS) | start) << _LENGTH_BITS | length
            if self._is_current(key, handle):
                self._moved(key, self.put(key, memory[start : start + length]))
            at = start + length
        self._wanted -= segment.wanted
        self._close(number)

    def _close(self, number: int) -> None:
        segment = self._segments.pop(number)
        self._used -= segment.used
        segment.memory.close()
