"""The state of the world, folded from the log: records, links, joins and features. Pure: time comes with the event."""

from collections import deque
from collections.abc import Mapping

from abuse_client.contract import CostPayload
from abuse_service.events.content import Content, content_of
from abuse_service.events.entity import STRONG_KINDS, EntityKey, EntityKind
from abuse_service.events.event import (
    ACCOUNT_JUDGED,
    REQUEST_CLASSIFIED,
    REQUEST_COST_REPORTED,
    Event,
    Facts,
)
from abuse_service.features.catalog import Catalog, Occurrence
from abuse_service.features.upkeep import Kept, Upkeep
from abuse_service.identities.fold import fold
from abuse_service.identities.places import note_place
from abuse_service.identities.record import Record
from abuse_service.identities.reservations import Reservations
from abuse_service.identities.state import (
    MOST_DECISIONS,
    Decided,
    EntityState,
    IdentityState,
    link,
    share,
)
from abuse_service.identities.states import States

_USER_LETTER = EntityKind.USER.value


class Projection:
    """Folds events into states, one at a time, in any order that the log allows."""

    def __init__(self, states: States, catalog: Catalog) -> None:
        self.states = states
        self.catalog = catalog
        self.reservations = Reservations()
        self.upkeep = Upkeep.whole(catalog.kept)

    def restore(
        self, kept: Kept, *, at_ms: int, position: int, waiting: tuple[int, ...], ahead: tuple[int, ...]
    ) -> None:
        """Take the states for what an image says of them; it holds the events up to ``position``."""
        self.upkeep = Upkeep(kept)
        self.change(self.catalog, at_ms=at_ms, position=position, waiting=waiting, ahead=ahead)

    def change(
        self, catalog: Catalog, *, at_ms: int, position: int, waiting: tuple[int, ...], ahead: tuple[int, ...]
    ) -> None:
        """Update and read the features of ``catalog`` from now on; those that are new are to be filled."""
        since_ms = {base: feature.matters_since_ms(at_ms) for base, feature in catalog.kept.items()}
        self.upkeep.change(since_ms, at_ms=at_ms, position=position, waiting=waiting, ahead=ahead)
        self.catalog = catalog.bound(self.upkeep.generations)

    def apply(self, position: int, event: Event, content: Content | None) -> None:
        """Take one event into all states that it touches.

        An event that names no user is joined by the Stripe ids that it carries, or waits under them.
        """
        if event.joins:
            self._apply_joined(position, event, content)
        elif event.identity_entity is not None:
            if event.request_id or event.type == REQUEST_COST_REPORTED:
                self._pass_reservations(event, content)
            self._fold(event, content, event.identity_entity, event.identity or "")

    def fill(self, event: Event, content: Content | None, catalog: Catalog, since_ms: Mapping[str, int]) -> None:
        """Take an event that was folded before into the features of ``catalog``: all else knows it.

        What is left over in a state from features that are kept no more goes on the way.
        ``since_ms`` says of each which events are too old to matter.
        """
        owner = event.identity_entity or self.states.joins.owner(event.joins)
        if owner is None or event.type == ACCOUNT_JUDGED:
            return
        occurrence = Occurrence(event, content, _number(owner), catalog.names(event.type))
        for letter, features in catalog.plan(event.type).items():
            concerned = [
                feature
                for feature in features
                if event.occurred_at_ms >= since_ms[feature.base] and feature.concerns(occurrence)
            ]
            keys = (owner,) if letter == _USER_LETTER else [key for key in event.entities if key[:1] == letter]
            for key in keys if concerned else ():
                state = self.states.edit(key)
                if state is not None:
                    for left_over in state.features.keys() - self.catalog.keys:
                        del state.features[left_over]
                    for feature in concerned:
                        feature.update(state.features, occurrence)

    def identity(self, entity: EntityKey) -> IdentityState | None:
        """The identity, to be read; ``None`` where it is not known."""
        state = self.states.find(entity)
        return state if isinstance(state, IdentityState) else None

    def entity(self, key: EntityKey) -> EntityState | None:
        """Any other entity, to be read; ``None`` where it is not known."""
        state = self.states.find(key)
        return state if isinstance(state, EntityState) else None

    def note_decision(self, entity: EntityKey, decided: Decided) -> None:
        """Keep a line about a decision with its identity, the newest `MOST_DECISIONS`."""
        state = self.states.edit(entity)
        if not isinstance(state, IdentityState):
            return
        state.was_acted_on = state.was_acted_on or decided.action is not None
        decisions = state.decisions
        decisions.append(decided)
        if len(decisions) > 1 and (decisions[-2].decided_at_ms, decisions[-2].request_id) > (
            decided.decided_at_ms,
            decided.request_id,
        ):
            decisions.sort(key=lambda line: (line.decided_at_ms, line.request_id))
        if len(decisions) > MOST_DECISIONS:
            del decisions[0]

    def _pass_reservations(self, event: Event, content: Content | None) -> None:
        self.reservations.pass_to(event.occurred_at_ms)
        if isinstance(content, CostPayload):
            self.reservations.release(content.request_id)

    def _apply_joined(self, position: int, event: Event, content: Content | None) -> None:
        """Fold an event that carries Stripe ids, and whatever waited for what it teaches."""
        joins = self.states.joins
        owner = event.identity_entity or joins.owner(event.joins)
        if owner is None:
            joins.wait(position, event)
            return
        released = deque(joins.claim(event.joins, owner))
        self._fold(event, content, owner, event.identity or "")
        while released:
            # Its other ids are known from now on as well, and others may wait under those.
            _, waiting = released.popleft()
            released.extend(joins.claim(waiting.joins, owner))
            self._fold(waiting, content_of(waiting), owner, "")

    def _fold(self, event: Event, content: Content | None, owner: EntityKey, identity: str) -> None:
        edit = self.states.edit
        at_ms = event.occurred_at_ms
        state = edit(owner)
        if state is None:
            state = self.states.add(owner, IdentityState(identity, at_ms, at_ms, Record()))
        elif not isinstance(state, IdentityState):
            raise TypeError("an identity's key holds another kind of state")
        if event.type == ACCOUNT_JUDGED:
            return
        if at_ms < state.first_seen_ms:
            state.first_seen_ms = at_ms
        if at_ms > state.last_seen_ms:
            state.last_seen_ms = at_ms
        fold(state.record, event, content)
        if event.facts is not None:
            _note_facts(state, event.facts, event)
        entities = event.entities
        plan = self.catalog.plan(event.type)
        if not plan:
            for key in entities:
                self._link(state, owner, key, self._entity(key), at_ms)
            return
        occurrence = Occurrence(event, content, _number(owner), self.catalog.names(event.type))
        for feature in plan.get(_USER_LETTER, ()):
            feature.update(state.features, occurrence)
        for key in entities:
            entity = self._entity(key)
            self._link(state, owner, key, entity, at_ms)
            for feature in plan.get(key[:1], ()):
                feature.update(entity.features, occurrence)

    def _link(self, state: IdentityState, owner: EntityKey, key: EntityKey, entity: EntityState, at_ms: int) -> None:
        link(state, owner, key, entity, at_ms)
        members = entity.members
        if key[:1] not in STRONG_KINDS or key in state.shared or key not in state.strong:
            return
        if len(members) < 2 and owner in members:
            return
        share(state, key)
        if len(members) == 2:
            # Now the first one is not alone either; whoever comes later finds it shared.
            for member in members:
                neighbour = self.states.edit(member)
                if isinstance(neighbour, IdentityState) and key in neighbour.strong:
                    share(neighbour, key)

    def _entity(self, key: EntityKey) -> EntityState:
        state = self.states.edit(key)
        return state if isinstance(state, EntityState) else self.states.add(key, EntityState())


def _number(owner: EntityKey) -> int:
    return int.from_bytes(owner[1:8], "big")


def _note_facts(state: IdentityState, facts: Facts, event: Event) -> None:
    note_place(state.places, event.occurred_at_ms, facts)
    state.is_hosting = state.is_hosting or facts.is_hosting
    if event.type == REQUEST_CLASSIFIED:
        return  # a request says no e-mail
    state.is_disposable_email = state.is_disposable_email or facts.is_disposable_email
    state.mailbox_digits = max(state.mailbox_digits, facts.mailbox_digits)
    state.mailbox_is_tagged = state.mailbox_is_tagged or facts.mailbox_is_tagged
    state.mailbox_dots = max(state.mailbox_dots, facts.mailbox_dots)
    state.has_lookalike_email = state.has_lookalike_email or facts.is_lookalike_email
    state.free_email = max(state.free_email, (event.occurred_at_ms, facts.is_free_email))
