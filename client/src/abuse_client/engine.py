"""The background half of a client: one thread with an event loop that delivers and asks."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

import msgspec

from abuse_client.asker import ask
from abuse_client.buffer import Buffer
from abuse_client.circuit import Circuit
from abuse_client.delivery import Delivery
from abuse_client.dispatch import Dispatcher
from abuse_client.drafts import Question
from abuse_client.failures import Failures
from abuse_client.lifecycle import watch, watch_child_exit
from abuse_client.loop import Loop
from abuse_client.open_questions import OpenQuestions
from abuse_client.reports import Report
from abuse_client.service import Answer, Service
from abuse_client.settings import Settings
from abuse_client.tally import Stats, Tally

JOIN_TIMEOUT_S = 0.5
PAUSE_AFTER_FAILED_START_S = 5.0
TURNS_TO_SETTLE = 5


class Unavailable(Exception):
    """The client was closed, its circuit is open, or the thread that sends cannot be started."""


class _Running(msgspec.Struct):
    """What lives as long as the thread, in one process. The service is there once the thread has begun."""

    loop: Loop
    dispatcher: Dispatcher
    thread: threading.Thread | None = None
    service: Service | None = None
    is_over: bool = False
    gate: threading.RLock = msgspec.field(default_factory=threading.RLock)
    """Held while a question is handed over, so that none is after `is_over`. A signal handler may come in between."""


class Engine:
    """Delivers reports and asks for classifications, in a thread that starts when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closed = False
        # A forked child must not have what it inherited collected: that would act on what its parent still uses.
        self._inherited: list[_Running] = []
        self._running: _Running | None = None
        self._resting: Loop | None = None
        self._begin_afresh()
        watch(self)

    def report(self, report: Report) -> None:
        """Hand a report over to the thread."""
        if self._closed:
            self.tally.add(dropped=1)
            self.failures.tell("report dropped", "the client is closed")
            return
        buffer = self._buffer
        must_wake = buffer.put(report)
        running = self._running
        if running is None:
            self._start_for_reports()
        elif must_wake:
            self._call(running, running.dispatcher.wake)
        if buffer.is_crowded(report):
            self._bound()

    def ask(
        self, question: Question, within_s: float, then: "Callable[[Future[Answer]], None] | None" = None
    ) -> "Future[Answer]":
        """Send a question; the future holds the answer or raises `NoAnswer`. Raises `Unavailable`.

        ``then`` is called with the future once it is done, for a question that nobody waits for.
        """
        if then is not None and len(self._started) >= self.settings.max_questions:
            raise Unavailable(f"{self.settings.max_questions} questions are open already")
        running = self._start()
        ticket = self.circuit.enter()
        if ticket is None:
            raise Unavailable("not asked: the service failed again and again, and is left alone for a moment")

        async def answer() -> Answer:
            if running.service is None:
                raise Unavailable("the client could not start, or was closed")
            return await ask(running.service, self.circuit, ticket, question, within_s)

        with running.gate:
            asked = None if running.is_over else asyncio.run_coroutine_threadsafe(answer(), running.loop)
        if asked is None:  # closed by another thread meanwhile
            self.circuit.gave_up(ticket)
            raise Unavailable("the client is closed")
        if then is not None:
            self._started.begin(asked)
            asked.add_done_callback(then)
            asked.add_done_callback(self._started.end)
        return asked

    def flushed(self) -> "Future[None]":
        """A future that is done once every report so far is sent or given up."""
        future = self._buffer.settled()
        if not future.done():
            self._start_for_reports()
            if (running := self._running) is not None:
                self._call(running, running.dispatcher.hurry)
        return future

    def stats(self) -> Stats:
        self._bound()
        sent, failed, dropped = self.tally.counts()
        buffer = self._buffer
        return Stats(
            sent=sent,
            failed=failed,
            dropped=dropped,
            queued=buffer.queued,
            queued_bytes=buffer.queued_bytes,
            is_open=self.circuit.is_open,
        )

    def close(self, timeout_s: float) -> bool:
        """Flush within the time given, then stop the thread. Returns whether everything was dealt with."""
        until = time.monotonic() + timeout_s
        self._started.wait_for_none(timeout_s / 2)  # their answers bring costs along
        self._closed = True
        if (running := self._running) is not None:
            self._call(running, running.dispatcher.hurry_to_end)
            with contextlib.suppress(TimeoutError, CancelledError):
                self.flushed().result(max(0.0, until - time.monotonic()))
        return self.stop()

    def stop(self) -> bool:
        """Stop the thread at once; what still waits is dropped. Returns whether nothing was."""
        self._closed = True
        running, self._running = self._running, None
        if running is not None:
            self._call(running, running.dispatcher.stop)
            thread = running.thread
            if thread is not None and thread.ident is not None and thread is not threading.current_thread():
                thread.join(JOIN_TIMEOUT_S)
        lost = self._buffer.abandon()
        if lost:
            self.tally.add(dropped=lost)
            self.failures.tell("reports lost", f"{lost} were still queued at the end")
        return lost == 0

    def retire(self) -> None:
        """Let the thread send what waits, then end by itself: nobody holds the client any more."""
        self._closed = True
        if (running := self._running) is not None:
            self._call(running, running.dispatcher.retire)

    def rest_before_fork(self) -> None:
        """Bring the thread to where a fork finds nothing half done."""
        running = self._running
        self._resting = running.loop if running is not None and running.loop.rest() else None

    def resume_after_fork(self) -> None:
        """In the parent: let the thread go on."""
        if self._resting is not None:
            self._resting.resume()
            self._resting = None

    def begin_again_after_fork(self) -> None:
        """In a forked child: an empty queue, and a thread and connections of its own when they are needed."""
        if self._running is not None:
            self._running.loop.let_go_after_fork()
            self._inherited.append(self._running)
            self._running = None
        self._resting = None
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._lock = threading.Lock()
        self._no_start_before = 0.0
        self._started = OpenQuestions()
        self._buffer = Buffer(self.settings.max_queued, self.settings.max_queued_bytes)
        self.circuit: Circuit = Circuit()
        self.tally: Tally = Tally()
        self.failures: Failures = Failures((self.settings.client_secret, self.settings.client_id))

    def _start_for_reports(self) -> None:
        if self._running is None and not self._closed:
            try:
                self._start()
            except Unavailable as error:
                self.failures.tell("reports wait", str(error))

    def _start(self) -> _Running:
        running = self._running
        if running is not None and not self._closed:
            return running
        with self._lock:
            if self._closed:
                raise Unavailable("the client is closed")
            if self._running is not None:
                return self._running
            running = self._made_ready()
            self._running = running
        # Outside the lock: starting a thread waits for it, and gevent lets others run meanwhile.
        self._begin(running)
        return running

    def _made_ready(self) -> _Running:
        if time.monotonic() < self._no_start_before:
            raise Unavailable("the last start failed a moment ago")
        try:
            return _Running(Loop(), Dispatcher(self._buffer, self.settings.linger_s, self._dropped))
        except Exception as error:  # no file descriptor
            raise self._failed_start(error) from None

    def _begin(self, running: _Running) -> None:
        thread = threading.Thread(target=self._run, args=(running,), name="abuse-client", daemon=True)
        running.thread = thread
        try:
            thread.start()
        except RuntimeError as error:  # no new threads
            failed = self._failed_start(error)
            self._end(running)
            raise failed from None
        watch_child_exit()

    def _failed_start(self, error: Exception) -> Unavailable:
        self._running = None
        self._no_start_before = time.monotonic() + PAUSE_AFTER_FAILED_START_S
        return Unavailable(f"{type(error).__name__}: {error}")

    def _run(self, running: _Running) -> None:
        # A method, so that the thread keeps the engine alive, and with it the flush at exit.
        try:
            running.loop.run_until_complete(self._live(running))
        finally:
            self._end(running)

    def _end(self, running: _Running) -> None:
        with running.gate:
            running.is_over = True
        running.loop.run_until_complete(_end_others())  # what was asked until just now
        running.loop.close()

    async def _live(self, running: _Running) -> None:
        try:
            service = running.service = Service(self.settings, running.loop)
        except Exception as error:  # an unreadable certificate or proxy setting
            self.failures.tell("reports wait", str(self._failed_start(error)))
            await _end_others()
            return
        try:
            delivery = Delivery(service, self.tally, self.failures, self.settings.attempt_timeout_s)
            await running.dispatcher.run(delivery)
        finally:
            running.service = None  # whoever asks from now on learns it at once
            await _end_others()
            await service.close()

    def _bound(self) -> None:
        if dropped := self._buffer.sort():
            self._dropped(dropped)

    def _dropped(self, count: int) -> None:
        self.tally.add(dropped=count)
        self.failures.tell("queue full", f"{count} of the oldest reports dropped")

    def _call(self, running: _Running, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            running.loop.call_soon_threadsafe(function)


async def _end_others() -> None:
    # What has just begun goes on to where it waits for something: anyio leaves what it cancels before that unawaited.
    for _ in range(TURNS_TO_SETTLE):
        await asyncio.sleep(0)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
