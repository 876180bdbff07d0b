"""``bench links``: what a sign-in costs that links, with a look at its cluster, among 1,000 identities and 1,000,000.

And worst cases: an address with 100,000 accounts, a device with 10,000, a chain of 10,000 accounts.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator

from abuse_lab.bench.figures import UNIT, Figure, Result, at_most, gather
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_service.decisions.cluster import find_cluster
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import AUTH_SIGNIN, Event
from abuse_service.features.catalog import Catalog
from abuse_service.features.projection import Projection
from abuse_service.identities.states import States
from abuse_service.policy.links import link_degrees
from abuse_service.testing import TOKENS, MemoryColdStates

START_MS = 1_780_000_000_000
SMALL = 1_000
TURNS = 10
NEWCOMERS = 0.05
ALL_LIVE = 10**9
_DEGREES = link_degrees({})

Moment = tuple[EntityKey, tuple[EntityKey, ...]]
Adjacency = dict[EntityKey, dict[EntityKey, int]]
Shares = Callable[[int], tuple[tuple[EntityKind, int], ...]]


def measure(options: Options) -> Result:
    """``growth_1k_to_1m``: cost per event at a million identities over that at a thousand, a bare dict's beside it."""
    large = options.pick(full=1_000_000, quick=5_000)
    events = options.pick(full=20_000, quick=1_000)
    runs = gather([_run(large, events) | _worst(options) for _ in range(options.runs)])
    small = f"the same among {SMALL:,}, in turns: sign-ins that link six entities, each with a look at its cluster"
    plain = f"a dict of dicts that notes the same pairs on both sides, among {large:,} identities, in turns"
    against = {
        "growth_1k_to_1m": (small, at_most(2)),
        "dict_growth_1k_to_1m": ("the same dict of dicts among a thousand", None),
        "cost_vs_dict": (plain, None),
        "crowded_address_vs_usual": ("a sign-in of an account whose address nobody else has", None),
        "crowded_device_vs_usual": ("the same", None),
        "chain_vs_usual": ("the same", None),
    }
    return Result(
        bench="links",
        is_quick=options.is_quick,
        figures={
            name: Figure(runs=values, against=against.get(name, (UNIT, None))[0], goal=against.get(name, ("", None))[1])
            for name, values in runs.items()
        },
    )


class Town:
    """So many identities, each with a device, an address, a network, a browser build, a mailbox and a mail domain.

    Of a hundred devices five are shared by up to four, an address by a household, a network by a few hundred.
    """

    def __init__(self, chance: random.Random, identities: int, shares: Shares | None = None) -> None:
        """``shares`` says which entities the identity of a number has, in place of the usual ones."""
        self._chance = chance
        self._shares = shares or _usual
        self._identities = identities
        self._secret = chance.randbytes(8)
        self.projection = Projection(States(MemoryColdStates(), ALL_LIVE, ALL_LIVE), Catalog({}), TOKENS)
        self.adjacency: Adjacency = {}
        self._at_ms = START_MS
        self._newest = identities
        for number in range(identities):
            moment = self._moment(number)
            self.fold([moment])
            self.note([moment])

    def some(self, number: int) -> list[Moment]:
        """So many sign-ins of anybody, some of them newcomers'."""
        found = []
        for _ in range(number):
            if self._chance.random() < NEWCOMERS:
                self._newest += 1
                found.append(self._moment(self._newest))
            else:
                found.append(self._moment(self._chance.randrange(self._identities)))
        return found

    def _moment(self, number: int) -> Moment:
        entities = tuple(self._key(kind, place) for kind, place in self._shares(number))
        return self._key(EntityKind.USER, number), entities

    def _key(self, kind: EntityKind, number: int) -> EntityKey:
        # As evenly spread as a hash, and made without one.
        spread = (number + 1) * 0x9E3779B97F4A7C15 % 2**64
        return kind.value + spread.to_bytes(8, "big") + self._secret

    def fold(self, moments: list[Moment]) -> float:
        """Seconds to take sign-ins in, and to look at the cluster of each."""
        events = list(self._events(moments))
        projection = self.projection
        begun = time.perf_counter()
        for event in events:
            projection.apply(0, event, None)
            entity = event.identity_entity or b""
            state = projection.identity(entity)
            if state is None:
                raise NotAsSent("an identity that signed in is not known")
            find_cluster(projection, entity, state, _DEGREES)
        return time.perf_counter() - begun

    def note(self, moments: list[Moment]) -> float:
        """Seconds to note the same pairs in a dict of dicts."""
        adjacency, at_ms = self.adjacency, self._at_ms
        begun = time.perf_counter()
        for owner, entities in moments:
            for entity in entities:
                adjacency.setdefault(owner, {})[entity] = at_ms
                adjacency.setdefault(entity, {})[owner] = at_ms
        return time.perf_counter() - begun

    def _events(self, moments: list[Moment]) -> Iterator[Event]:
        for owner, entities in moments:
            self._at_ms += 40
            yield Event(
                AUTH_SIGNIN,
                "cloud",
                self._at_ms,
                self._at_ms,
                b"{}",
                identity="user:",
                identity_entity=owner,
                entities=entities,
            )


def _usual(number: int) -> tuple[tuple[EntityKind, int], ...]:
    return (
        (EntityKind.IP, number // 2),
        (EntityKind.NETWORK, number // 300),
        (EntityKind.JA4, number % 500),
        (EntityKind.MAILBOX, number),
        (EntityKind.EMAIL_DOMAIN, number % 3 if number % 10 < 7 else number),
        (EntityKind.DEVICE, number - number % 4 if number % 80 < 4 else number),
    )


def _run(large: int, events: int) -> dict[str, float]:
    chance = random.Random(fresh_seed())
    gc.disable()  # a service freezes what it holds; the walk over millions of dicts is nobody's cost
    towns = [Town(chance, SMALL), Town(chance, large)]
    ours, plain = [0.0, 0.0], [0.0, 0.0]
    for turn in range(TURNS):
        for place in (0, 1) if turn % 2 else (1, 0):
            some = towns[place].some(events // TURNS)
            if turn % 2:
                plain[place] += towns[place].note(some)
            ours[place] += towns[place].fold(some)
            if not turn % 2:
                plain[place] += towns[place].note(some)
    gc.enable()
    return {
        "growth_1k_to_1m": ours[1] / ours[0],
        "dict_growth_1k_to_1m": plain[1] / plain[0],
        "cost_vs_dict": ours[1] / plain[1],
        "small_microseconds": 1e6 * ours[0] / events,
        "large_microseconds": 1e6 * ours[1] / events,
    }


def _worst(options: Options) -> dict[str, float]:
    """Sign-ins in a crowd, each with a look at its cluster, against sign-ins of people who share nothing."""
    events = options.pick(full=5_000, quick=500)
    many, few = options.pick(full=100_000, quick=1_000), options.pick(full=10_000, quick=500)
    gc.disable()
    usual = _crowd(few, events, lambda number: ((EntityKind.IP, number),))
    found = {
        "crowded_address": _crowd(many, events, lambda number: ((EntityKind.IP, 0),)),
        "crowded_device": _crowd(few, events, lambda number: ((EntityKind.DEVICE, 0),)),
        "chain": _crowd(few, events, lambda number: ((EntityKind.DEVICE, number), (EntityKind.DEVICE, number + 1))),
    }
    gc.enable()
    return {f"{name}_vs_usual": seconds / usual for name, seconds in found.items()}


def _crowd(identities: int, events: int, shares: Shares) -> float:
    town = Town(random.Random(fresh_seed()), identities, shares)
    return town.fold(town.some(events))
