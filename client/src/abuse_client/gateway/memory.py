"""The last action of each identity."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from abuse_client.contract import ResolvedAction
from abuse_client.gateway.measures import Measure

_NOTHING_TO_REMEMBER = frozenset({ResolvedAction.NOTHING, ResolvedAction.LOG})


class _Entry(msgspec.Struct, frozen=True):
    measure: Measure
    question: int
    until: float


class Memory:
    """Remembers measures, so many and so long. Threads may share it.

    Identities for whom nothing was ever in force take no room in it.
    """

    def __init__(self, max_identities: int, lifetime_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_identities = max_identities
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, identity_key: str) -> Measure | None:
        """What is in force for an identity."""
        with self._lock:
            entry = self._fresh(identity_key)
            if entry is None:
                return None
            self._entries.move_to_end(identity_key)
            return entry.measure

    def learn(self, identity_key: str, question: int, measure: Measure | None) -> None:
        """Take an answer's measure. ``None`` changes nothing, and neither does the answer to an older question."""
        if measure is None:
            return
        with self._lock:
            known = self._fresh(identity_key)
            if known is None and measure.action in _NOTHING_TO_REMEMBER and not measure.is_challenge:
                return
            if known is not None and known.question > question:
                return
            self._entries[identity_key] = _Entry(measure, question, self._clock() + self._lifetime_s)
            self._entries.move_to_end(identity_key)
            while len(self._entries) > self._max_identities:
                self._entries.popitem(last=False)

    def renew_lock(self) -> None:
        """Take a lock of one's own: in a forked child the old one may be held by a thread that is not there."""
        self._lock = threading.Lock()

    def _fresh(self, identity_key: str) -> _Entry | None:
        entry = self._entries.get(identity_key)
        if entry is not None and entry.until <= self._clock():
            del self._entries[identity_key]
            return None
        return entry
