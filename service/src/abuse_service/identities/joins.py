"""Whose a Stripe id is, and the events that name no user: they count for everybody who claims one of their ids (0017).

An event that names its user claims its ids for him. One that names nobody is remembered under each of its ids, counts
for all who claim one of them, now or later, and hands the claim on to its other ids. So the outcome is the same for any
order of arrival, and where two users claim one id both have the events.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.identities.releases import Release, Releases

JoinKey = EntityKey
"""A letter for the kind of Stripe object and 16 bytes of keyed hash, like an entity's key."""

MOST_OWNERS = 16
"""Owners of one id. One that more claim is a constant of somebody's program: whoever comes later does not get it."""

MOST_WAITING = 200_000
"""Events that wait for an owner, at most 40 MB; beyond that the oldest is given up."""

_FILTER_BITS = 1 << 25


class ColdJoins(Protocol):
    """The claims of the last finished cut, on disk, and the log."""

    def load_owners(self, join: JoinKey) -> Mapping[EntityKey, int]:
        """Who claims the id, each with the position at which that was learned."""
        ...

    def load_unnamed(self, join: JoinKey) -> Iterable[int]:
        """Positions of the events that name no user and carry the id."""
        ...

    def unnamed_joins(self) -> Iterable[JoinKey]:
        """Every id that `load_unnamed` knows something of."""
        ...

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log; ``None`` where it is kept no more."""
        ...


class Waits(msgspec.Struct, array_like=True, frozen=True):
    """An event that waits for an owner."""

    position: int
    received_at_ms: int


class Learned(msgspec.Struct):
    """What was learned since a cut: who claims an id, and which events carry it that name nobody."""

    claims: dict[JoinKey, dict[EntityKey, int]] = {}
    unnamed: dict[JoinKey, list[int]] = {}

    def merge(self, later: "Learned") -> "Learned":
        """Both together; of a claim that is in both the earlier position stays."""
        claims = {
            join: later.claims.get(join, {}) | self.claims.get(join, {})
            for join in self.claims.keys() | later.claims.keys()
        }
        unnamed = {
            join: [*self.unnamed.get(join, ()), *later.unnamed.get(join, ())]
            for join in self.unnamed.keys() | later.unnamed.keys()
        }
        return Learned(claims, unnamed)


class Joins:
    """Claims on Stripe ids, and the events that name no user.

    What was learned since the last cut is in memory. A claim is written down without a look at those before it, unless
    some event that names nobody carries the id: most ids are claimed once and never asked for.
    """

    def __init__(self, cold: ColdJoins, most_waiting: int = MOST_WAITING) -> None:
        self._cold = cold
        self._most_waiting = most_waiting
        self._young = Learned()
        self._old = Learned()
        self._waiting: dict[int, int] = {}
        self.releases = Releases()
        self._carried = _Filter()
        for join in cold.unnamed_joins():
            self._carried.add(join)

    @property
    def waiting(self) -> tuple[Waits, ...]:
        """The events that nobody claims, in the order of the log."""
        return tuple(Waits(position, received_at_ms) for position, received_at_ms in sorted(self._waiting.items()))

    @property
    def waiting_count(self) -> int:
        """How many events nobody claims."""
        return len(self._waiting)

    @property
    def waiting_since_ms(self) -> int | None:
        """When the one that waits longest was received, or ``None``."""
        return next(iter(self._waiting.values()), None)

    def restore(self, waiting: Iterable[Waits], releases: Iterable[Release] = ()) -> None:
        """Hold what an image held, beside what is on disk."""
        self._waiting = {waits.position: waits.received_at_ms for waits in waiting}
        self.releases.restore(releases)

    def owners(self, joins: Iterable[JoinKey]) -> list[EntityKey]:
        """Everybody who claims one of these ids, in the order of their keys."""
        return sorted({owner for join in joins for owner in self._claims(join)})

    def owners_by(self, joins: Iterable[JoinKey], position: int) -> list[EntityKey]:
        """Those of them of whom that was known at a position of the log."""
        claims = (claim for join in joins for claim in self._claims(join).items())
        return sorted({owner for owner, learned in claims if learned <= position})

    def claim(self, joins: Iterable[JoinKey], owner: EntityKey, position: int) -> list[int]:
        """Note whose these ids are; returns the positions of events that count for him from now on."""
        found: set[int] = set()
        claims = self._young.claims
        for join in joins:
            known = claims.get(join)
            if known is not None and owner in known:
                continue
            if join in self._carried and (positions := self._unnamed(join)):
                before = self._claims(join)
                if owner in before or len(before) >= MOST_OWNERS:
                    continue
                found.update(positions)
            if known is None:
                claims[join] = {owner: position}
            elif len(known) < MOST_OWNERS:
                known[owner] = position
        return sorted(found)

    def add_unnamed(self, position: int, event: Event, *, is_waiting: bool) -> None:
        """Remember an event that names nobody under its ids; it waits while nobody claims one of them."""
        for join in dict.fromkeys(event.joins):
            self._young.unnamed.setdefault(join, []).append(position)
            self._carried.add(join)
        if is_waiting:
            self._waiting[position] = event.received_at_ms
            if len(self._waiting) > self._most_waiting:
                del self._waiting[next(iter(self._waiting))]

    def stop_waiting(self, position: int) -> bool:
        """An event was claimed, or is given up; whether it had waited."""
        return self._waiting.pop(position, None) is not None

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log; ``None`` where it is kept no more."""
        return self._cold.load_event(position)

    def received_before(self, at_ms: int, most: int) -> list[int]:
        """Positions of events that wait since before an instant, the ``most`` that wait longest."""
        old = (position for position, received_at_ms in self._waiting.items() if received_at_ms < at_ms)
        return list(itertools.islice(old, most))

    def begin_cut(self) -> Learned:
        """Set what was learned so far apart, for the image in the making."""
        self._old, self._young = self._young, Learned()
        return self._old

    def finish_cut(self) -> None:
        """What was set apart is on disk."""
        self._old = Learned()

    def abandon_cut(self) -> None:
        """What was set apart did not get to disk."""
        self._young = self._old.merge(self._young)
        self._old = Learned()

    def _claims(self, join: JoinKey) -> dict[EntityKey, int]:
        young, old = self._young.claims.get(join, {}), self._old.claims.get(join, {})
        # The oldest last: it is the one that stays.
        return young | old | dict(self._cold.load_owners(join))

    def _unnamed(self, join: JoinKey) -> list[int]:
        learned = (self._old.unnamed.get(join, ()), self._young.unnamed.get(join, ()))
        return [*self._cold.load_unnamed(join), *itertools.chain.from_iterable(learned)]


class _Filter:
    """Whether an id was added, now and then a yes too much (Bloom 1970): 3 of 100 with three million ids."""

    def __init__(self) -> None:
        self._bits = bytearray(_FILTER_BITS >> 3)

    def add(self, join: JoinKey) -> None:
        for place in _places(join):
            self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, join: JoinKey) -> bool:
        bits = self._bits
        one, other = _places(join)
        return bool(bits[one >> 3] >> (one & 7) & 1 and bits[other >> 3] >> (other & 7) & 1)


def _places(join: JoinKey) -> tuple[int, int]:
    # The key is a hash already: any of its bytes are evenly spread.
    number = int.from_bytes(join[1:9], "big")
    return number & (_FILTER_BITS - 1), number >> 32 & (_FILTER_BITS - 1)
