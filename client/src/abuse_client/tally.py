"""What became of everything that was handed over."""

import threading

import msgspec


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the reports and classifications of a client: each is counted in exactly one field."""

    sent: int = 0
    """Taken by the service, or answered by it."""
    failed: int = 0
    """Wrong, refused, or given up after the last attempt; a classification that got no answer in time."""
    dropped: int = 0
    """Pushed out of a full queue, or handed over after the end."""
    queued: int = 0
    """Waiting or under way."""
    queued_bytes: int = 0
    """Memory that those take which wait."""
    is_open: bool = False
    """Whether the circuit for questions is open: they are answered ``None`` at once."""


class Tally:
    """Counts from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent = self._failed = self._dropped = 0

    def add(self, *, sent: int = 0, failed: int = 0, dropped: int = 0) -> None:
        with self._lock:
            self._sent += sent
            self._failed += failed
            self._dropped += dropped

    def counts(self) -> tuple[int, int, int]:
        """How many were sent, failed, and were dropped."""
        with self._lock:
            return self._sent, self._failed, self._dropped
