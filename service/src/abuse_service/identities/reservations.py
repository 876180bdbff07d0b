"""Spend that is promised and not yet reported, by identity (decision 0014).

What is open depends on the set of decisions and cost reports alone, not on their order: an entry goes when its cost is
reported, before or after its decision, or once some request or report happened after its end.
"""

import heapq

import msgspec

from abuse_service.events.entity import EntityKey

MOST_OPEN = 100_000
"""Reservations held at once, at most 40 MB; the oldest goes first."""

MOST_EARLY = 10_000
"""Reports remembered for which nothing was open, since their decisions may come yet; the oldest goes first."""

Reservation = tuple[int, EntityKey, int, int]
"""Request id, identity, microdollars, and the second of its end."""


class Held(msgspec.Struct, array_like=True, frozen=True):
    """What is open, the second up to which time went by, and early reports: as an image on disk holds them."""

    now_s: int = 0
    entries: tuple[Reservation, ...] = ()
    early: tuple[int, ...] = ()


class Reservations:
    """All open reservations. ``dropped`` and ``expired`` count those that ended without a cost report."""

    def __init__(self, most_open: int = MOST_OPEN) -> None:
        self._most_open = most_open
        self._open: dict[int, Reservation] = {}
        self._totals: dict[EntityKey, int] = {}
        # Request ids by the second of their end, and those seconds as a heap: no entry is looked at before its time.
        self._ending: dict[int, dict[int, None]] = {}
        self._seconds: list[int] = []
        self._now_s = 0
        # Requests whose cost was reported while nothing was open for them.
        self._early: dict[int, None] = {}
        self.dropped = 0
        self.expired = 0

    def __len__(self) -> int:
        return len(self._open)

    def of(self, entity: EntityKey) -> int:
        """What an identity has open, microdollars."""
        return self._totals.get(entity, 0)

    def reserve(self, request_id: int, entity: EntityKey, microdollars: int, until_ms: int) -> None:
        """Hold ``microdollars`` until the cost report or ``until_ms``; not what ended or was reported before."""
        if request_id in self._early:
            del self._early[request_id]
            return
        end_s = -(-until_ms // 1000)
        if microdollars <= 0 or end_s <= self._now_s or request_id in self._open:
            return
        if len(self._open) >= self._most_open:
            self._free(next(iter(self._open)))
            self.dropped += 1
        self._open[request_id] = (request_id, entity, microdollars, end_s)
        self._totals[entity] = self._totals.get(entity, 0) + microdollars
        ending = self._ending.get(end_s)
        if ending is None:
            ending = self._ending[end_s] = {}
            heapq.heappush(self._seconds, end_s)
        ending[request_id] = None

    def release(self, request_id: int) -> None:
        """The cost of this request is known; where nothing is open, that counts once the decision comes."""
        if request_id in self._open:
            self._free(request_id)
            return
        self._early[request_id] = None
        if len(self._early) > MOST_EARLY:
            del self._early[next(iter(self._early))]

    def _free(self, request_id: int) -> None:
        _, entity, microdollars, end_s = self._open.pop(request_id)
        self._ending[end_s].pop(request_id, None)
        rest = self._totals[entity] - microdollars
        if rest:
            self._totals[entity] = rest
        else:
            del self._totals[entity]

    def pass_to(self, at_ms: int) -> None:
        """Something happened at this instant: what ended by then is no longer open."""
        second = at_ms // 1000
        if second <= self._now_s:
            return
        self._now_s = second
        while self._seconds and self._seconds[0] <= second:
            end_s = heapq.heappop(self._seconds)
            for request_id in list(self._ending[end_s]):
                self._free(request_id)
                self.expired += 1
            del self._ending[end_s]

    def held(self) -> Held:
        """All that is open, for an image."""
        return Held(self._now_s, tuple(self._open.values()), tuple(self._early))

    def restore(self, held: Held) -> None:
        """Hold what an image held."""
        self._now_s = held.now_s
        for request_id, entity, microdollars, end_s in held.entries:
            self.reserve(request_id, entity, microdollars, end_s * 1000)
        self._early = dict.fromkeys(held.early)
