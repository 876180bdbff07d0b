"""Leaves a service alone that fails again and again, and tries it once in a while."""

import random
import threading
import time
from collections.abc import Callable

import msgspec

FAILURES_TO_OPEN = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
PROBE_CHECK_S = 0.2
"""How often somebody who waits looks whether a probe under way has come back."""


class Ticket(msgspec.Struct, frozen=True):
    """Leave to send one request, given back with what came of it."""

    era: int
    is_probe: bool = False


class Circuit:
    """Closed while all is well. Five failures in a row open it; then one request after a pause probes the service.

    Any success closes it, a failed probe opens it for twice as long, up to half a minute. Threads may share it.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, spread: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._spread = spread
        self._lock = threading.Lock()
        self._era = 0
        self._failures = 0
        self._pauses = 0
        self._open_until: float | None = None
        self._is_probing = False
        self._is_asked = False

    @property
    def is_open(self) -> bool:
        """Whether requests are held back, but for a probe."""
        return self._open_until is not None

    def enter(self) -> Ticket | None:
        """Leave for one request, or ``None`` while none may be sent."""
        if not self.is_open:
            return Ticket(self._era)
        with self._lock:
            if self._open_until is None:
                return Ticket(self._era)
            if self._is_probing or self._clock() < self._open_until:
                return None
            self._is_probing = True
            return Ticket(self._era, is_probe=True)

    def wait_s(self) -> float:
        """Seconds after which it is worth to `enter` again."""
        with self._lock:
            if self._open_until is None:
                return 0.0
            return max(self._open_until - self._clock(), PROBE_CHECK_S if self._is_probing else 0.0)

    def succeeded(self, ticket: Ticket) -> None:
        """The service did its work: the circuit is closed, whatever was."""
        if self._open_until is None and not self._failures:
            return
        with self._lock:
            self._end_era()
            self._failures = self._pauses = 0
            self._open_until = None

    def failed(self, ticket: Ticket) -> None:
        """The service gave no answer, or none that is better than none."""
        with self._lock:
            if ticket.era != self._era:
                return  # sent before the circuit changed: it tells nothing new
            self._failures += 1
            if ticket.is_probe or self._failures >= FAILURES_TO_OPEN:
                longest = min(FIRST_PAUSE_S * float(2**self._pauses), LONGEST_PAUSE_S)
                self._pauses = min(self._pauses + 1, 16)
                self._open(longest * (0.5 + 0.5 * self._spread()))

    def rest(self, seconds: float) -> None:
        """The service asked to be left alone for so long."""
        with self._lock:
            self._open(seconds)
            self._is_asked = True

    def gave_up(self, ticket: Ticket) -> None:
        """Nothing was learned, because the caller did not wait for the answer."""
        with self._lock:
            if ticket.is_probe and ticket.era == self._era:
                self._is_probing = False

    def hurry(self) -> None:
        """Let the next request be a probe, however long a pause still lasts that the service did not ask for."""
        with self._lock:
            if self._open_until is not None and not self._is_asked:
                self._open_until = self._clock()

    def _open(self, seconds: float) -> None:
        self._end_era()
        self._open_until = self._clock() + seconds

    def _end_era(self) -> None:
        self._era += 1
        self._is_probing = self._is_asked = False
