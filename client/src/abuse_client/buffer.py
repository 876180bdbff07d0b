"""Reports that wait to be sent, bounded by count and bytes."""

import threading
from collections import deque
from concurrent.futures import Future

import msgspec

from abuse_client.reports import EVENTS_PATH, LASTING_KINDS, Report

MAX_ENVELOPE_EVENTS = 200
MAX_ENVELOPE_BYTES = 4 * 2**20
MAX_UNSORTED = 256
MAX_UNSORTED_BYTES = 16_384


class Batch(msgspec.Struct, frozen=True):
    """Reports that leave in one request."""

    reports: list[Report]


class Buffer:
    """A queue between any number of threads that report and one that sends.

    A report is put without a lock, so that neither another thread nor a signal handler can hold the caller up; it is
    sorted, counted and bounded a moment later, at the latest when 256 are unsorted.
    """

    def __init__(self, max_reports: int, max_bytes: int) -> None:
        self._max_reports = max_reports
        self._max_bytes = max_bytes
        self._unsorted: deque[Report] = deque()
        self._sender_sleeps = False
        self._lock = threading.Lock()
        self._events: deque[Report] = deque()
        self._lasting: deque[Report] = deque()
        self._singles: deque[Report] = deque()
        self._bytes = 0
        self._numbered = 0
        self._under_way: dict[int, Batch] = {}
        self._waiters: list[tuple[int, Future[None]]] = []

    def put(self, report: Report) -> bool:
        """Add a report; returns whether the sender must be woken. `is_crowded` says whether to `sort` as well."""
        self._unsorted.append(report)
        if not self._sender_sleeps:
            return False
        self._sender_sleeps = False
        return True

    def is_crowded(self, report: Report) -> bool:
        """Whether what was just put must be sorted by the one who put it, before the sender comes round to it."""
        return len(self._unsorted) > MAX_UNSORTED or len(report.body) > MAX_UNSORTED_BYTES

    def sort(self, *, waits: bool = False) -> int:
        """Number what came and bound what waits; returns how many reports had to go for that.

        A caller does not wait for it: whoever holds the lock, in this thread or another, is at it.
        """
        if not self._lock.acquire(blocking=waits):
            return 0
        try:
            dropped = self._sort()
            done = self._done_waiters() if dropped else []
        finally:
            self._lock.release()
        _finish(done)
        return dropped

    def sleeps(self, seen: int) -> bool:
        """Say that the sender sleeps unless something came since it saw ``seen`` numbers; returns whether it may."""
        self._sender_sleeps = True
        if self._unsorted or self._numbered != seen:
            self._sender_sleeps = False
        return self._sender_sleeps

    def take_events(self) -> Batch | None:
        """The oldest events that fit one request, in the order in which they came."""
        with self._lock:
            taken: list[Report] = []
            size = 0
            while (line := self._older(self._events, self._lasting)) and (not taken or _fits(line[0], taken, size)):
                taken.append(line.popleft())
                size += len(taken[-1].body)
            return self._taken(taken)

    def take_single(self) -> Batch | None:
        """The oldest of the reports that leave alone: a cost or a sign-in."""
        with self._lock:
            return self._taken([self._singles.popleft()] if self._singles else [])

    def settle(self, batch: Batch) -> None:
        """Say that a batch is dealt with, one way or the other."""
        with self._lock:
            self._under_way.pop(id(batch), None)
            done = self._done_waiters()
        _finish(done)

    def settled(self) -> "Future[None]":
        """A future that is done once everything put so far is dealt with."""
        future: Future[None] = Future()
        with self._lock:
            while self._unsorted:
                self._number(self._unsorted.popleft())
            self._waiters.append((self._numbered, future))
            done = self._done_waiters()
        _finish(done)
        return future

    def abandon(self) -> int:
        """Drop whatever waits or is under way; returns how many that were."""
        with self._lock:
            lost = self.queued
            for line in (self._unsorted, self._events, self._lasting, self._singles):
                line.clear()
            self._under_way.clear()
            self._bytes = 0
            done = self._done_waiters()
        _finish(done)
        return lost

    @property
    def numbered(self) -> int:
        """How many reports were sorted so far."""
        return self._numbered

    @property
    def waiting_events(self) -> int:
        return len(self._events) + len(self._lasting)

    @property
    def waiting_singles(self) -> int:
        return len(self._singles)

    @property
    def queued(self) -> int:
        """How many reports wait or are under way."""
        under_way = sum(len(batch.reports) for batch in list(self._under_way.values()))
        return len(self._unsorted) + self.waiting_events + self.waiting_singles + under_way

    @property
    def queued_bytes(self) -> int:
        """What the sorted ones among the waiting take in memory."""
        return self._bytes

    def _sort(self) -> int:
        dropped = 0
        while self._unsorted:
            self._number(self._unsorted.popleft())
            dropped += self._bound()
        return dropped + self._bound()

    def _number(self, report: Report) -> None:
        self._numbered += 1
        report.number = self._numbered
        self._bytes += report.weight
        if report.path != EVENTS_PATH:
            self._singles.append(report)
        elif report.kind in LASTING_KINDS:
            self._lasting.append(report)
        else:
            self._events.append(report)

    def _bound(self) -> int:
        dropped = 0
        while self.waiting_events + len(self._singles) > self._max_reports or self._bytes > self._max_bytes:
            line = self._older(self._events, self._singles) or self._lasting
            if not line:
                break
            self._bytes -= line.popleft().weight
            dropped += 1
        return dropped

    def _older(self, one: deque[Report], other: deque[Report]) -> deque[Report]:
        """The line whose head came first; an empty one only when both are."""
        if not one or not other:
            return one or other
        return one if one[0].number < other[0].number else other

    def _taken(self, reports: list[Report]) -> Batch | None:
        if not reports:
            return None
        batch = Batch(reports)
        self._under_way[id(batch)] = batch
        self._bytes -= sum(report.weight for report in reports)
        return batch

    def _done_waiters(self) -> "list[Future[None]]":
        if not self._waiters:
            return []
        # Reports are numbered as they come, so what is open is open from the oldest that waits or is under way.
        heads = [line[0].number for line in (self._events, self._lasting, self._singles) if line]
        oldest_open = min([*heads, *(batch.reports[0].number for batch in self._under_way.values())], default=None)
        done = [future for number, future in self._waiters if oldest_open is None or number < oldest_open]
        self._waiters = [entry for entry in self._waiters if entry[1] not in done]
        return done


def _fits(candidate: Report, taken: list[Report], size: int) -> bool:
    return len(taken) < MAX_ENVELOPE_EVENTS and size + len(candidate.body) <= MAX_ENVELOPE_BYTES


def _finish(futures: "list[Future[None]]") -> None:
    for future in futures:
        if future.set_running_or_notify_cancel():
            future.set_result(None)
