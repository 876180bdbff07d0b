"""Work that nobody waits for, such as charging a saved card after an answer was served."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock

logger = logging.getLogger(__name__)

AT_ONCE = 2


class Background:
    """Does things one after the other beside the requests. What must survive a crash stands in the database first."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, "background")
        self._lock = Lock()
        self._open: set[Future[None]] = set()

    def submit(self, act: Callable[[], None]) -> None:
        """Do it soon; what it raises is logged by its kind."""
        with self._lock:
            task = self._pool.submit(act)
            self._open.add(task)
        task.add_done_callback(self._end)

    def flush(self, seconds: float) -> bool:
        """Wait until everything is done, and say whether it is."""
        with self._lock:
            waited_for = set(self._open)
        return not wait(waited_for, seconds).not_done

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _end(self, task: Future[None]) -> None:
        with self._lock:
            self._open.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("work in the background failed: %s", type(error).__name__)
