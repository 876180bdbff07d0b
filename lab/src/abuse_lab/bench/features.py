"""``bench features``: events folded into twelve windowed features over a million entities, against plain dict counters.

And that an event costs the same, in time and in bytes, whether an entity has a thousand or ten million of them.
"""

import gc
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload
from abuse_lab.bench.figures import UNIT, Figure, Result, at_least, at_most, gather
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_service.events.event import REQUEST_CLASSIFIED, Event
from abuse_service.features.catalog import Catalog, Feature, Occurrence
from abuse_service.features.declaration import Declaration
from abuse_service.testing import TOKENS

DECLARED = """
requests_1m: {entity: user, events: [request.classified], aggregate: count, window: 1m, approximate: 0.02}
requests_1h: {entity: user, events: [request.classified], aggregate: count, window: 1h}
requests_24h: {entity: user, events: [request.classified], aggregate: count, window: 24h}
rate_5m: {entity: user, events: [request.classified], aggregate: rate, window: 5m}
cost_1h: {entity: user, events: [request.classified], aggregate: sum, value: event.cost, window: 1h}
cost_24h: {entity: user, events: [request.classified], aggregate: sum, value: event.cost, window: 24h}
cost_mean_7d: {entity: user, events: [request.classified], aggregate: mean, value: event.cost, window: 7d}
tokens_most_24h: {entity: user, events: [request.classified], aggregate: max, value: event.max_tokens, window: 24h}
tokens_last_24h: {entity: user, events: [request.classified], aggregate: last, value: event.max_tokens, window: 24h}
models_24h: {entity: user, events: [request.classified], aggregate: distinct, value: event.requested_model, window: 24h}
large_24h:
  {entity: user, events: [request.classified], aggregate: count, where: event.max_tokens > 30000, window: 24h}
bare_24h:
  {entity: user, events: [request.classified], aggregate: ratio, matching: "!has(event.has_tools)", window: 24h}
"""
FEATURES = 12
EVENTS_AN_ENTITY = 3
EVENTS_A_TURN = 50_000
FIRST = 1000
START_MS = 1_780_000_000_000

States = dict[str, Any]
Moment = tuple[bytes, Event, ClassifyPayload]


def measure(options: Options) -> Result:
    """``updates_vs_dict``, memory an entity, and what the ten-millionth event of one entity costs."""
    entities = options.pick(full=1_000_000, quick=5_000)
    events = options.pick(full=10_000_000, quick=50_000)
    runs = gather([_over_many(entities) | _on_one(events) for _ in range(options.runs)])
    dicts = f"twelve dict counters, the same {EVENTS_AN_ENTITY} events an entity over {entities:,} entities, in turns"
    first = f"the mean over the first {FIRST:,} events of an entity"
    against = {
        "updates_vs_dict": (dicts, at_least(0.2)),
        "late_vs_first_time": (f"{first}: the last hundredth of {events:,} on one entity", at_most(1.25)),
        "late_vs_first_bytes": (f"{first}: bytes of its state by its events, after {events:,}", at_most(1)),
    }
    return Result(
        bench="features",
        is_quick=options.is_quick,
        figures={
            name: Figure(runs=values, against=against.get(name, (UNIT, None))[0], goal=against.get(name, ("", None))[1])
            for name, values in runs.items()
        },
    )


def _plan() -> tuple[list[Feature], tuple[str, ...]]:
    declared = msgspec.yaml.decode(DECLARED, type=dict[str, Declaration])
    catalog = Catalog(declared)
    if len(catalog.features) != FEATURES:
        raise NotAsSent(f"{len(catalog.features)} features declared, expected {FEATURES}")
    [plan] = catalog.plan(REQUEST_CLASSIFIED).values()
    return plan, catalog.names(REQUEST_CLASSIFIED)


class Moments:
    """Requests of random entities, in order, as intake has read them."""

    def __init__(self, keys: list[bytes], step_ms: int) -> None:
        self._chance = random.Random(fresh_seed())
        self._keys = keys
        self._step_ms = step_ms
        self._at_ms = START_MS
        self._contents = [self._content(number) for number in range(1000)]

    def _content(self, number: int) -> ClassifyPayload:
        chance = self._chance
        return ClassifyPayload(
            kilo_user_id="user",
            cost=chance.randrange(10**6),
            max_tokens=chance.randrange(64_000),
            requested_model=f"maker/model-{number % 20}",
            has_tools=chance.choice([None, True]),
        )

    def some(self, number: int) -> list[Moment]:
        """The next so many."""
        found = []
        for _ in range(number):
            self._at_ms += self._chance.randrange(2 * self._step_ms)
            event = Event(REQUEST_CLASSIFIED, "cloud", self._at_ms, self._at_ms, b"{}")
            found.append((self._chance.choice(self._keys), event, self._chance.choice(self._contents)))
        return found


def _over_many(entities: int) -> dict[str, float]:
    """Subject and reference take turns over the same events."""
    chance = random.Random(fresh_seed())
    moments = Moments([b"u" + chance.randbytes(16) for _ in range(entities)], step_ms=40)
    plan, names = _plan()
    states: dict[bytes, States] = {}
    counters: list[dict[bytes, int]] = [{} for _ in range(FEATURES)]
    events = entities * EVENTS_AN_ENTITY
    ours = plain = 0.0
    gc.disable()  # a service freezes what it holds; the walk over a million dicts is neither's cost
    for turn in range(max(1, events // EVENTS_A_TURN)):
        some = moments.some(min(EVENTS_A_TURN, events))
        if turn % 2:
            plain += _count(counters, some)
        ours += _fold(plan, names, states, some)
        if not turn % 2:
            plain += _count(counters, some)
        del some
    gc.enable()
    if sum(counters[-1].values()) != events:
        raise NotAsSent("the reference did not count every event")
    return {
        "updates_vs_dict": plain / ours,
        "events_a_second": events / ours,
        "dict_events_a_second": events / plain,
        "live_bytes_an_entity": sum(map(_live_bytes, states.values())) / len(states),
        "packed_bytes_an_entity": sum(map(len, _packed(states))) / len(states),
    }


def _on_one(events: int) -> dict[str, float]:
    """Time and bytes an event: over the first thousand of many entities, and at the end of one entity's long life."""
    plan, names = _plan()
    entities = 30
    first_seconds = first_bytes = 0.0
    for _ in range(entities):
        states: dict[bytes, States] = {}
        first_seconds += _fold(plan, names, states, Moments([b"u"], step_ms=10).some(FIRST))
        first_bytes += sum(map(len, _packed(states)))
    moments, states = Moments([b"u"], step_ms=10), {}
    last = events // 100
    for _ in range(99):
        _fold(plan, names, states, moments.some(last))
    late_seconds = _fold(plan, names, states, moments.some(last))
    bytes_now = sum(map(len, _packed(states)))
    first_ns, late_ns = (1e9 * first_seconds / entities / FIRST, 1e9 * late_seconds / last)
    return {
        "first_event_ns": first_ns,
        "late_event_ns": late_ns,
        "late_vs_first_time": late_ns / first_ns,
        "first_event_bytes": first_bytes / entities / FIRST,
        "late_event_bytes": bytes_now / events,
        "late_vs_first_bytes": bytes_now / events / (first_bytes / entities / FIRST),
        "one_entity_bytes": bytes_now,
    }


def _fold(plan: list[Feature], names: tuple[str, ...], states: dict[bytes, States], some: list[Moment]) -> float:
    begun = time.perf_counter()
    for key, event, content in some:
        mine = states.get(key)
        if mine is None:
            mine = states[key] = {}
        occurrence = Occurrence(event, content, b"u" + bytes(16), names, TOKENS)
        for feature in plan:
            feature.update(mine, occurrence)
    return time.perf_counter() - begun


def _count(counters: list[dict[bytes, int]], some: list[Moment]) -> float:
    begun = time.perf_counter()
    for key, _, _ in some:
        for counter in counters:
            counter[key] = counter.get(key, 0) + 1
    return time.perf_counter() - begun


def _packed(states: dict[bytes, States]) -> Iterator[bytes]:
    return map(msgspec.msgpack.Encoder().encode, states.values())


def _live_bytes(held: Any) -> int:
    """What a state takes while it is ready for use; the keys are shared by all."""
    inner = held.values() if isinstance(held, dict) else held if isinstance(held, list) else ()
    return sys.getsizeof(held) + sum(map(_live_bytes, inner))
