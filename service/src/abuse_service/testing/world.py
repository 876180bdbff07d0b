"""Every pure room put together, with a fixed clock."""

import functools
from collections.abc import Iterable
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
from abuse_service.events.event import LIST_CHANGED, OWN_SOURCE, Event
from abuse_service.events.keys import EventKeys
from abuse_service.events.log import Appended, Rejected
from abuse_service.events.tokens import Tokens
from abuse_service.features.projection import Projection
from abuse_service.identities.record import Record
from abuse_service.identities.state import IdentityState
from abuse_service.intake.auth import AuthIntake, AuthReading
from abuse_service.intake.batch import Batch, BatchIntake
from abuse_service.intake.classify import ClassifyIntake, Question
from abuse_service.intake.cost import CostIntake, CostReading
from abuse_service.intake.receipt import Receipt
from abuse_service.policy.policy import Policy, load_policy
from abuse_service.replay.retell import note_decision, retell
from abuse_service.testing.memory import KnownStates, MemoryColdStates, MemoryLog

NOW_MS = 1_750_000_000_000
"""The fixed clock: 2025-06-15, 15:06:40 UTC."""

HOSTING_NETWORK = "198.51.100.0/24"
"""The one network that `World` takes for a hosting provider's."""

SECRET = b"a secret of 32 bytes for tests.."
TOKENS = Tokens(SECRET)
EVENT_KEYS = EventKeys(SECRET)

_encode = msgspec.json.Encoder().encode


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
        self.projection = Projection(self.states, self.policy.catalog, self.namer.tokens)
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


def entity_of(world: World, user: str) -> EntityKey:
    """The key of a user's identity."""
    return world.namer.identity(f"user:{user}")
