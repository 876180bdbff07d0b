"""Builders, a fixed clock and in-memory twins, for tests of the service and of what is built upon it."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from abuse_service.decisions.decision import Decision
from abuse_service.decisions.estimate import Estimator
from abuse_service.decisions.guard import Guard
from abuse_service.decisions.judge import Judge
from abuse_service.decisions.lists import name_entry
from abuse_service.decisions.standing import ListChange, Standing
from abuse_service.enrichment.atlas import Atlas
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import NetworkRanges
from abuse_service.events.content import Content
from abuse_service.events.entity import EntityKey, EntityNamer
from abuse_service.events.event import LIST_CHANGED, OWN_SOURCE, Event, Stored
from abuse_service.events.log import Appended, Rejected
from abuse_service.features.projection import Projection
from abuse_service.identities.joins import Learned
from abuse_service.identities.record import Record
from abuse_service.identities.state import IdentityState, State
from abuse_service.identities.states import Cut, S, States
from abuse_service.identities.timeline import Chunk, Entry, chunks_of
from abuse_service.intake.auth import AuthIntake, AuthReading
from abuse_service.intake.batch import Batch, BatchIntake
from abuse_service.intake.classify import ClassifyIntake, Question
from abuse_service.intake.cost import CostIntake, CostReading
from abuse_service.intake.receipt import Receipt
from abuse_service.policy.policy import Policy, load_policy
from abuse_service.replay.retell import note_decision, retell

NOW_MS = 1_750_000_000_000
"""The fixed clock: 2025-06-15, 15:06:40 UTC."""

HOSTING_NETWORK = "198.51.100.0/24"
"""The one network that `World` takes for a hosting provider's."""

SECRET = b"a secret of 32 bytes for tests.."

_encode = msgspec.json.Encoder().encode


class MemoryIndex:
    """Timelines, crowds and marks on a disk that is three dicts."""

    def __init__(self) -> None:
        self.timelines: dict[EntityKey, list[Entry]] = {}
        self.crowds: dict[EntityKey, set[EntityKey]] = {}
        self.marks: dict[EntityKey, int] = {}

    def keep(self, cut: Cut) -> None:
        """Take a finished cut in."""
        for identity, entries in cut.gathered.timelines.items():
            self.timelines[identity] = sorted({*entries, *self.timelines.get(identity, ())})
        for entity, crowd in cut.gathered.crowds.items():
            self.crowds.setdefault(entity, set()).update(crowd)
        self.marks.update(cut.marks)

    def chunks(self, identity: EntityKey, newest_ms: int, oldest_ms: int) -> Iterator[Chunk]:
        """The chunks of a timeline."""
        every = sorted(chunks_of(self.timelines.get(identity, [])), key=lambda chunk: -chunk.newest_ms)
        return (chunk for chunk in every if chunk.newest_ms <= newest_ms and chunk.oldest_ms <= oldest_ms)

    def crowd(self, entity: EntityKey, after: EntityKey, most: int) -> list[EntityKey]:
        """Who stands around an entity."""
        return sorted(key for key in self.crowds.get(entity, ()) if key > after)[:most]

    def is_in_crowd(self, entity: EntityKey, identity: EntityKey) -> bool:
        """Whether one of them is this identity."""
        return identity in self.crowds.get(entity, ())

    def marked(self, mark: int, after: EntityKey, most: int) -> list[EntityKey]:
        """The identities with a mark."""
        return sorted(key for key, said in self.marks.items() if said == mark and key > after)[:most]


class MemoryColdStates:
    """States on a disk that is a dict."""

    def __init__(self) -> None:
        self.index = MemoryIndex()
        self.kept: dict[bytes, bytes] = {}
        self.learned = Learned()
        self.read_log: Callable[[], Sequence[Event]] = list

    def keep(self, cut: Cut) -> None:
        """Take a finished cut in, as the disk would: of equal claims the first stays."""
        self.kept.update(cut.packed)
        self.index.keep(cut)
        self.learned = self.learned.merge(cut.learned)

    def load_owners(self, join: EntityKey) -> dict[EntityKey, int]:
        """Who claims a Stripe id."""
        return self.learned.claims.get(join, {})

    def load_unnamed(self, join: EntityKey) -> list[int]:
        """Positions of events that carry a Stripe id and name no user."""
        return self.learned.unnamed.get(join, [])

    def unnamed_joins(self) -> Iterable[EntityKey]:
        """Every id that `load_unnamed` knows something of."""
        return self.learned.unnamed

    def load_event(self, position: int) -> Event | None:
        """The event at a position of the log that stands beside."""
        log = self.read_log()
        return log[position - 1] if 0 < position <= len(log) else None

    def load(self, key: bytes) -> bytes | None:
        """The packed state, or ``None``."""
        return self.kept.get(key)


class KnownStates(States):
    """States that can be listed."""

    def __init__(self, cold: MemoryColdStates, most_hot: int) -> None:
        super().__init__(cold, most_hot)
        self._kept = cold.kept
        self._added: set[bytes] = set()

    def add(self, key: bytes, state: S) -> S:
        """Begin to keep a new state."""
        self._added.add(key)
        return super().add(key, state)

    def all(self) -> dict[bytes, State]:
        """Every state, hot or cold, by key."""
        found = {key: self.find(key) for key in sorted(self._added | self._kept.keys())}
        return {key: state for key, state in found.items() if state is not None}


class MemoryLog:
    """An event log and a quarantine in memory, with the promises of the real ones but durability."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.rejected: list[Rejected] = []
        self.has_room = True
        self.is_failing = False
        self.pending_requests: tuple[int, ...] = ()
        self._known: dict[bytes, int] = {}
        self._next_request_id = 1

    def keep(self, events: list[Event], rejected: Iterable[Rejected] = ()) -> Appended:
        """Append at once."""
        positions, conflicts = [], []
        for place, event in enumerate(events):
            first = self._known.get(event.event_key) if event.event_key else None
            if first is None:
                self.events.append(event)
                positions.append(len(self.events))
                if event.event_key:
                    self._known[event.event_key] = len(self.events)
                continue
            positions.append(0)
            kept = self.events[first - 1].content_key
            if event.content_key and kept not in (b"", event.content_key):
                conflicts.append(place)
        for entry in rejected:
            self.rejected.append(msgspec.structs.replace(entry, rejected_id=len(self.rejected) + 1))
        return Appended(positions, tuple(conflicts))

    async def append(
        self,
        events: list[Event],
        rejected: list[Rejected] | None = None,
        then: Callable[[Appended], None] | None = None,
    ) -> Appended:
        """Append, tell ``then``, and give the positions."""
        appended = self.keep(events, rejected or ())
        if then is not None:
            then(appended)
        return appended

    def record(self, event: Event, then: Callable[[Appended], None] | None = None) -> None:
        """Append at once, and tell ``then``."""
        appended = self.keep([event])
        if then is not None:
            then(appended)

    async def settle(self) -> None:
        """Nothing ever waits."""

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind a position."""
        end = after + limit if limit else None
        for offset, event in enumerate(self.events[after:end]):
            yield Stored(after + offset + 1, event)

    def find_request(self, request_id: int) -> Stored | None:
        """The event that holds the decision with this request id."""
        return next((stored for stored in self.read(0) if stored.event.request_id == request_id), None)

    def find_event(self, event_key: bytes) -> Stored | None:
        """The event that was kept under this key."""
        position = self._known.get(event_key)
        return Stored(position, self.events[position - 1]) if position else None

    def next_request_id(self) -> int:
        """1, 2, 3, …"""
        self._next_request_id += 1
        return self._next_request_id - 1

    @property
    def last_position(self) -> int:
        """How many events are kept."""
        return len(self.events)


@functools.cache
def default_policy() -> Policy:
    """The policy that ships, compiled once."""
    return load_policy(None)


class World:
    """Every pure room put together in memory: what it is told, it takes in as the service would."""

    def __init__(self, policy: Policy | None = None, most_hot: int = 10_000) -> None:
        self.policy = policy or default_policy()
        self.log = MemoryLog()
        self.cold = MemoryColdStates()
        self.cold.read_log = lambda: self.log.events
        self.namer = EntityNamer(SECRET)
        self.states = KnownStates(self.cold, most_hot)
        self.projection = Projection(self.states, self.policy.catalog)
        self.standing = Standing(self.namer)
        self.judge = Judge(self.policy, self.projection, self.standing)
        self.estimator = Estimator(self.policy)
        self.guard = Guard(self.standing)
        self.is_enforced = True
        enricher = Enricher(Atlas(NetworkRanges([HOSTING_NETWORK])))
        self._batches = BatchIntake(self.namer, enricher)
        self._auths = AuthIntake(self.namer, enricher)
        self._classifies = ClassifyIntake(self.namer, enricher)
        self._costs = CostIntake(self.namer)

    # what senders do

    def read_batch(self, *events: Any, at: int = NOW_MS, source: str = "cloud") -> Batch:
        """A batch as intake reads it; an event is a dict, or the bytes of its JSON."""
        raws = [event if isinstance(event, bytes) else _encode(event) for event in events]
        return self._batches.read(b'{"events":[' + b",".join(raws) + b"]}", Receipt(at, source))

    def send(self, *events: Any, at: int = NOW_MS, source: str = "cloud") -> Appended:
        """Take a batch in."""
        batch = self.read_batch(*events, at=at, source=source)
        return self.take(batch.events, batch.contents, batch.rejected)

    def read_auth(self, at: int = NOW_MS, source: str = "cloud", **fields: Any) -> AuthReading:
        """A sign-in (or what ``event_type`` says) as intake reads it."""
        said = {"kilo_user_id": "u1", "event_type": "signin", "email": "ada@example.com"} | fields
        return self._auths.read(_encode(said), Receipt(at, source))

    def sign_in(self, user: str = "u1", at: int = NOW_MS, **fields: Any) -> Appended:
        """Take a sign-in in."""
        reading = self.read_auth(at=at, kilo_user_id=user, **fields)
        return self.take([reading.event], [reading.payload])

    def sign_up(self, user: str = "u1", at: int = NOW_MS, **fields: Any) -> Appended:
        """Take a sign-up in."""
        return self.sign_in(user, at, event_type="signup", **fields)

    def read_request(self, at: int = NOW_MS, source: str = "cloud", may_import: bool = True, **fields: Any) -> Question:
        """A classify request as intake reads it."""
        return self._classifies.read(_encode(fields), Receipt(at, source), may_import=may_import)

    def classify(self, user: str | None = "u1", at: int = NOW_MS, **fields: Any) -> Decision:
        """Take a request in and decide on it."""
        question = self.read_request(at=at, kilo_user_id=user, **fields)
        request_id = self.log.next_request_id()
        self.projection.apply(0, question.answered(request_id, None), question.payload)
        state = self.identity(question.identity)
        decision = self.judge.decide(
            request_id=request_id,
            entity=question.identity_entity,
            state=state,
            entities=question.entities,
            at_ms=question.occurred_at_ms,
            position=self.log.last_position,
            request=question.payload,
            facts=question.facts,
            is_enforced=self.is_enforced,
        )
        self.log.keep(self.guard.watch(self.policy, question.identity_entity, state, decision, self.projection.ended))
        decision = self.estimator.promise(decision, question.payload, question.prompt_bytes, state.record.spend)
        answered = question.answered(request_id, _encode(decision))
        self.log.record(answered, lambda told: self.projection.note_position(told.positions[0], answered))
        note_decision(self.projection, question.identity_entity, decision)
        return decision

    def read_cost(self, at: int = NOW_MS, source: str = "cloud", **fields: Any) -> CostReading:
        """A cost report as intake reads it."""
        said = {"request_id": 1, "message_id": "m1", "cost": 1000} | fields
        return self._costs.read(_encode(said), Receipt(at, source), self._classified_as)

    def report_cost(self, user: str | None = "u1", at: int = NOW_MS, **fields: Any) -> Appended:
        """Take a cost report in."""
        reading = self.read_cost(at=at, kilo_user_id=user, **fields)
        return self.take([reading.event], [reading.payload])

    def take(
        self, events: list[Event], contents: list[Any] | list[Content | None], rejected: Iterable[Rejected] = ()
    ) -> Appended:
        """Keep events that intake has read, and fold those that are new."""
        appended = self.log.keep(events, rejected)
        for position, event, content in zip(appended.positions, events, contents, strict=True):
            if position:
                self.projection.apply(position, event, content)
        return appended

    def change_list(
        self,
        list_name: str,
        entry: str,
        change: str = "added",
        *,
        reason: str = "said so",
        at: int = NOW_MS,
        expires_at: int | None = None,
    ) -> None:
        """Take in what an operator did to a list."""
        said = ListChange(
            list_name=list_name, entry=entry, change=change, reason=reason, actor="operator", expires_at=expires_at
        )
        key = name_entry(self.namer, entry)
        told = Event(LIST_CHANGED, OWN_SOURCE, at, at, _encode(said), entities=(key,))
        self.standing.take(self.log.keep([told]).last_position, told)

    # what is known then

    def identity(self, identity_key: str) -> IdentityState:
        """The identity's state; fails when there is none."""
        state = self.projection.identity(self.namer.identity(identity_key))
        assert state is not None, f"nothing is known of {identity_key}"
        return state

    def record(self, user: str = "u1") -> Record:
        """The record of a user; fails when there is none."""
        return self.identity(f"user:{user}").record

    def feature(self, name: str, user: str = "u1", at: int = NOW_MS) -> Any:
        """A user's feature as of an instant."""
        return self.projection.catalog.features[name].read(self.identity(f"user:{user}").features, at)

    def retold(self) -> "World":
        """Another world, told the same log from its start."""
        other = World(self.policy)
        for stored in self.log.read(0):
            retell(other.projection, stored.position, stored.event)
            other.standing.take(stored.position, stored.event)
            other.log.keep([stored.event])
        return other

    def _classified_as(self, request_id: int) -> str | None:
        stored = self.log.find_request(request_id)
        return stored.event.identity if stored else None


def event(event_type: str, at: int | None = None, event_id: str | None = None, **said: Any) -> dict[str, Any]:
    """An event of a batch: type, time, id and data."""
    built: dict[str, Any] = {"type": event_type, "data": said}
    if at is not None:
        built["occurred_at"] = at
    if event_id is not None:
        built["event_id"] = event_id
    return built


def stripe_event(
    event_type: str, stripe_object: dict[str, Any], at: int | None = None, webhook_id: str | None = None, **beside: Any
) -> dict[str, Any]:
    """A whole Stripe event, as the webhook got it; ``beside`` is what the cloud adds, or ``previous_attributes``."""
    inner: dict[str, Any] = {"object": stripe_object}
    if "previous_attributes" in beside:
        inner["previous_attributes"] = beside.pop("previous_attributes")
    name = event_type.removeprefix("stripe.")
    return event(event_type, at, id=webhook_id, type=name, data=inner, **beside)


Telling = Callable[[World], Any]
"""Something that a world is told."""


def sent(event_type: str, at: int, user: str | None = "u1", **said: Any) -> Telling:
    """The telling of one event of a batch; without a user where ``user`` is ``None``."""
    named = {} if user is None else {"kilo_user_id": user}
    return lambda world: world.send(event(event_type, at, **named, **said))


def signed_in(at: int, user: str = "u1", **fields: Any) -> Telling:
    """The telling of one sign-in."""
    return lambda world: world.sign_in(user, occurred_at=at, **fields)


def in_each_order(*tellings: Telling) -> list[World]:
    """A world for each order in which the tellings may arrive."""
    worlds = []
    for order in itertools.permutations(tellings):
        world = World()
        for tell in order:
            tell(world)
        worlds.append(world)
    return worlds


def policy_of(rules: str = "[]", features: str = "", head: str = "") -> Policy:
    """A small policy: YAML of its rules, of features beside the required ones, and of further sections."""
    return Policy(policy_text(rules, features, head))


def policy_text(rules: str = "[]", features: str = "", head: str = "") -> str:
    """The text of a small policy, with a rule that is off and reads whatever else is declared."""
    head_said, features_said = (_mapping(part) for part in (head, features))
    names = [*features_said, *(f"threshold.{name}" for name in head_said.get("thresholds") or ())]
    names += [f"list.{name}" for name in head_said.get("lists") or ()]
    condition = " && ".join(f"{name} == {name}" for name in names) or "true"
    reader = f"- {{id: reader, title: t, signal: s, reason: r, weight: 0, mode: 'off', when: '{condition}'}}"
    rules = reader if rules == "[]" else f"{rules.strip(chr(10))}\n{reader}"
    return f"""\
title: A small policy
{head}
features:
  requests_1m: {{entity: user, events: [request.classified], aggregate: count, window: 1m}}
  spend_1h_microdollars:
    {{entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost, window: 1h}}
{_indent(features, 2)}
rules:
{_indent(rules, 2)}
"""


def _mapping(text: str) -> dict[str, Any]:
    try:
        said = msgspec.yaml.decode(text.encode())
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def entity_of(world: World, user: str) -> EntityKey:
    """The key of a user's identity."""
    return world.namer.identity(f"user:{user}")


def _indent(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())
