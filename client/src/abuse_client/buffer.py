"""Reports that wait to be sent, bounded by count and bytes."""

import threading
from collections import deque
from concurrent.futures import Future

import msgspec

MAX_ENVELOPE_EVENTS = 200
MAX_ENVELOPE_BYTES = 4 * 2**20

EVENTS_PATH = "/api/events"


class Report(msgspec.Struct, frozen=True):
    """One event, cost or sign-in, as the bytes that leave."""

    path: str
    body: bytes


class Buffer:
    """A queue between any number of threads that report and one that sends."""

    def __init__(self, max_reports: int, max_bytes: int) -> None:
        self._max_reports = max_reports
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: deque[Report] = deque()
        self._bytes = 0
        self._put = 0
        self._under_way = 0
        self._oldest_under_way = 0
        self._sender_sleeps = False
        self._waiters: list[tuple[int, Future[None]]] = []

    def put(self, report: Report) -> tuple[int, bool]:
        """Add a report; returns how many old ones had to go for it, and whether the sender must be woken."""
        with self._lock:
            self._waiting.append(report)
            self._bytes += len(report.body)
            self._put += 1
            dropped = 0
            while self._waiting and (len(self._waiting) > self._max_reports or self._bytes > self._max_bytes):
                self._bytes -= len(self._waiting.popleft().body)
                dropped += 1
            wake, self._sender_sleeps = self._sender_sleeps, False
            done = self._done_waiters() if dropped else []
        _finish(done)
        return dropped, wake

    def take(self) -> list[Report]:
        """The next reports that fit one request, oldest first. None: the sender must sleep until it is woken."""
        with self._lock:
            taken: list[Report] = []
            size = 0
            self._oldest_under_way = self._oldest_waiting()
            while self._waiting and (not taken or self._fits(taken, size)):
                taken.append(self._waiting.popleft())
                size += len(taken[-1].body)
            self._bytes -= size
            self._under_way = len(taken)
            self._sender_sleeps = not taken
            return taken

    def settle(self) -> None:
        """Say that what was taken last is dealt with, one way or the other."""
        with self._lock:
            self._under_way = 0
            done = self._done_waiters()
        _finish(done)

    def settled(self) -> "Future[None]":
        """A future that is done once everything put so far is dealt with."""
        future: Future[None] = Future()
        with self._lock:
            self._waiters.append((self._put, future))
            done = self._done_waiters()
        _finish(done)
        return future

    def abandon(self) -> int:
        """Drop whatever waits or is under way; returns how many that were."""
        with self._lock:
            lost = len(self._waiting) + self._under_way
            self._waiting.clear()
            self._bytes = self._under_way = 0
            done = self._done_waiters()
        _finish(done)
        return lost

    @property
    def queued(self) -> int:
        """How many reports wait or are under way."""
        return len(self._waiting) + self._under_way

    def _fits(self, taken: list[Report], size: int) -> bool:
        candidate = self._waiting[0]
        return (
            taken[0].path == candidate.path == EVENTS_PATH
            and len(taken) < MAX_ENVELOPE_EVENTS
            and size + len(candidate.body) <= MAX_ENVELOPE_BYTES
        )

    def _done_waiters(self) -> "list[Future[None]]":
        # Reports are numbered as they come, and what is under way is older than what waits.
        oldest_open = self._oldest_under_way if self._under_way else self._oldest_waiting()
        done = [future for number, future in self._waiters if number < oldest_open]
        self._waiters = [(number, future) for number, future in self._waiters if number >= oldest_open]
        return done

    def _oldest_waiting(self) -> int:
        return self._put - len(self._waiting) + 1


def _finish(futures: "list[Future[None]]") -> None:
    for future in futures:
        if future.set_running_or_notify_cancel():
            future.set_result(None)
