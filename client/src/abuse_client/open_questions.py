"""Questions under way that no caller waits for."""

import threading
import time
from concurrent.futures import Future
from typing import Any


class OpenQuestions:
    """Knows which are open, without a lock that a caller, a signal handler or a fork could meet held."""

    def __init__(self) -> None:
        self._open: set[Future[Any]] = set()
        self._waiters: list[threading.Event] = []

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, question: "Future[Any]") -> None:
        """Count it as open until `end`."""
        self._open.add(question)

    def end(self, question: "Future[Any]") -> None:
        """Say that it is answered, and all is done that its answer brings along."""
        self._open.discard(question)
        if not self._open:
            for waiter in list(self._waiters):
                waiter.set()

    def wait_for_none(self, timeout_s: float) -> bool:
        """Return once none is open; ``False`` when that took too long."""
        until = time.monotonic() + timeout_s
        waiter = threading.Event()
        self._waiters.append(waiter)  # before the first look, so that no end is missed
        try:
            while self._open:
                if not waiter.wait(max(0.0, until - time.monotonic())):
                    return not self._open
                waiter.clear()
            return True
        finally:
            self._waiters.remove(waiter)
