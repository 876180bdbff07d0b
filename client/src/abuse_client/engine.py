"""The background half of a client: one thread with an event loop that delivers and asks."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

import msgspec

from abuse_client.buffer import Buffer, Report
from abuse_client.delivery import Delivery
from abuse_client.failures import Failures
from abuse_client.lifecycle import watch, watch_child_exit
from abuse_client.loop import Loop
from abuse_client.service import Answer, Service
from abuse_client.settings import Settings
from abuse_client.tally import Stats, Tally

CLASSIFY_PATH = "/api/classify"
JOIN_TIMEOUT_S = 0.5
PAUSE_AFTER_FAILED_START_S = 5.0


class Unavailable(Exception):
    """The client was closed, or the thread that sends cannot be started."""


class _Running(msgspec.Struct):
    """What lives as long as the thread, in one process."""

    loop: asyncio.AbstractEventLoop
    service: Service
    delivery: Delivery
    thread: threading.Thread


class Engine:
    """Delivers reports and asks for classifications, in a thread that starts when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closed = False
        # A forked child must not have what it inherited collected: its parent still uses the same sockets.
        self._inherited: list[_Running] = []
        self._running: _Running | None = None
        self._begin_afresh()
        watch(self)

    def report(self, report: Report) -> None:
        """Hand a report over to the thread."""
        try:
            running = self._start()
        except Unavailable as error:
            self.tally.add(dropped=1)
            self.failures.tell("report dropped", str(error))
            return
        dropped, must_wake = self._buffer.put(report)
        if must_wake:
            self._call(running, running.delivery.wake)
        if dropped:
            self.tally.add(dropped=dropped)
            self.failures.tell("queue full", f"{dropped} of the oldest reports dropped")

    def ask(self, body: bytes, within_s: float) -> "Future[Answer]":
        """Send a question; the future holds the answer or raises `NoAnswer`. Raises `Unavailable`."""
        running = self._start()
        question = running.service.post(CLASSIFY_PATH, body, within_s)
        try:
            return asyncio.run_coroutine_threadsafe(question, running.loop)
        except RuntimeError as error:  # closed by another thread meanwhile
            question.close()
            raise Unavailable(str(error)) from None

    def flushed(self) -> "Future[None]":
        """A future that is done once every report so far is sent or given up."""
        return self._buffer.settled()

    def stats(self) -> Stats:
        return self.tally.stats(self._buffer.queued)

    def close(self, timeout_s: float) -> bool:
        """Flush within the time given, then stop the thread. Returns whether everything was dealt with."""
        self._closed = True
        if self._running is not None:
            with contextlib.suppress(TimeoutError, CancelledError):
                self.flushed().result(max(0.0, timeout_s))
        return self.stop()

    def stop(self) -> bool:
        """Stop the thread at once; what still waits is dropped. Returns whether nothing was."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            self._call(running, running.delivery.stop)
            if running.thread is not threading.current_thread():
                running.thread.join(JOIN_TIMEOUT_S)
        lost = self._buffer.abandon()
        if lost:
            self.tally.add(dropped=lost)
            self.failures.tell("reports lost", f"{lost} were still queued at the end")
        return lost == 0

    def retire(self) -> None:
        """Let the thread send what waits, then end by itself: nobody holds the client any more."""
        self._closed = True
        if self._running is not None:
            self._call(self._running, self._running.delivery.retire)

    def begin_again_after_fork(self) -> None:
        """In a forked child: an empty queue, and a thread and connections of its own when they are needed."""
        if self._running is not None:
            self._inherited.append(self._running)
            self._running = None
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._lock = threading.Lock()
        self._no_start_before = 0.0
        self._buffer = Buffer(self.settings.max_queued, self.settings.max_queued_bytes)
        self.tally = Tally()
        self.failures = Failures((self.settings.client_secret, self.settings.client_id))

    def _start(self) -> _Running:
        running = self._running
        if running is not None and not self._closed:
            return running
        with self._lock:
            if self._closed:
                raise Unavailable("the client is closed")
            if self._running is None:
                self._running = self._start_or_wait()
            return self._running

    def _start_or_wait(self) -> _Running:
        if time.monotonic() < self._no_start_before:
            raise Unavailable("the last start failed a moment ago")
        try:
            return self._started()
        except Exception as error:  # no thread, no file descriptor, an unreadable certificate or proxy setting
            self._no_start_before = time.monotonic() + PAUSE_AFTER_FAILED_START_S
            raise Unavailable(f"{type(error).__name__}: {error}") from None

    def _started(self) -> _Running:
        service = Service(self.settings)
        loop = Loop()
        delivery = Delivery(self._buffer, service, self.tally, self.failures, self.settings.attempt_timeout_s)
        thread = threading.Thread(target=self._run, args=(loop, delivery, service), name="abuse-client", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            loop.close()
            raise
        watch_child_exit()
        return _Running(loop, service, delivery, thread)

    def _run(self, loop: asyncio.AbstractEventLoop, delivery: Delivery, service: Service) -> None:
        # A method, so that the thread keeps the engine alive, and with it the flush at exit.
        try:
            loop.run_until_complete(_live(delivery, service))
        finally:
            loop.close()

    def _call(self, running: _Running, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            running.loop.call_soon_threadsafe(function)


async def _live(delivery: Delivery, service: Service) -> None:
    try:
        await delivery.run()
    finally:
        questions = asyncio.all_tasks() - {asyncio.current_task()}
        for question in questions:
            question.cancel()
        await asyncio.gather(*questions, return_exceptions=True)
        await service.close()
