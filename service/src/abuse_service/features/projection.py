"""The state of the world, folded from the log: records, links, joins and features. Pure: time comes with the event."""

from collections.abc import Mapping

import msgspec

from abuse_client.contract import CostPayload
from abuse_service.events.content import Content, content_of
from abuse_service.events.entity import STRONG_KINDS, EntityKey, EntityKind, StripeKind
from abuse_service.events.event import (
    ACCOUNT_JUDGED,
    CUSTOMER_LINKED,
    ERASING_TYPES,
    LINK_CUT,
    LINK_RESTORED,
    LIST_CHANGED,
    ORG_DELETED,
    OWN_SOURCE,
    PENDING_EXPIRED,
    RECORD_READ,
    REQUEST_CLASSIFIED,
    REQUEST_COST_REPORTED,
    Event,
    Facts,
)
from abuse_service.events.scrub import Scrubber
from abuse_service.events.tokens import Tokens
from abuse_service.features.catalog import Catalog, Occurrence
from abuse_service.features.upkeep import Fill, Kept, Upkeep
from abuse_service.identities.erasure import Erasures
from abuse_service.identities.fold import fold
from abuse_service.identities.fold_memberships import organizations_of
from abuse_service.identities.places import note_place
from abuse_service.identities.record import Record
from abuse_service.identities.releases import Reached, Releases, release
from abuse_service.identities.reservations import Reservations
from abuse_service.identities.stamp import Stamp, stamp_of
from abuse_service.identities.state import (
    MOST_DECISIONS,
    Decided,
    EntityState,
    IdentityState,
    cut,
    link,
    share,
)
from abuse_service.identities.states import States
from abuse_service.identities.timeline import AUDIT, NOBODY

MOST_DELIVERED = 64
"""Events that are delivered together with the claim that released them: some milliseconds."""

_CUTS = frozenset({LINK_CUT, LINK_RESTORED})
_USER_LETTER = EntityKind.USER.value
_ORGANIZATION_LETTER = EntityKind.ORGANIZATION.value
_NAMING_ORGANIZATIONS = ("stripe.", CUSTOMER_LINKED)
_PERSONAL_IDS = frozenset({StripeKind.CHARGE.value, StripeKind.PAYMENT_INTENT.value})


class Expired(msgspec.Struct, frozen=True):
    """The body of ``service.pending_expired``: events that nobody claimed in time. Who claims them later has them."""

    positions: list[int]
    waited_days: float


class Projection:
    """Folds events into states, one at a time, in any order that the log allows."""

    def __init__(self, states: States, catalog: Catalog, tokens: Tokens, *, drops_tokens: bool = False) -> None:
        """``drops_tokens`` says whether an erasure leaves nothing by which equal values can be told."""
        self.states = states
        self.catalog = catalog
        self._tokens = tokens
        self.erasures = Erasures(Scrubber(tokens, drops_tokens=drops_tokens))
        self.reservations = Reservations()
        self.upkeep = Upkeep.whole(catalog.kept)

    def restore(self, kept: Kept, *, at_ms: int, position: int, ahead: tuple[int, ...]) -> None:
        """Take the states for what an image says of them; it holds the events up to ``position``.

        What the image had not delivered is delivered here, into the features that it holds: others are to be filled.
        """
        self.upkeep = Upkeep(kept)
        if self.is_delivering:
            catalog = self.catalog
            self.catalog = catalog.only(self.upkeep.generations).bound(self.upkeep.generations)
            self.deliver_all()
            self.catalog = catalog
        self.change(self.catalog, at_ms=at_ms, position=position, ahead=ahead)

    def change(self, catalog: Catalog, *, at_ms: int, position: int, ahead: tuple[int, ...]) -> None:
        """Update and read the features of ``catalog`` from now on; those that are new are to be filled."""
        # A fill takes in what was learned before it: that must have been delivered.
        self.deliver_all()
        since_ms = {base: feature.matters_since_ms(at_ms) for base, feature in catalog.kept.items()}
        self.upkeep.change(since_ms, at_ms=at_ms, position=position, ahead=ahead)
        self.catalog = catalog.bound(self.upkeep.generations)

    def apply(self, position: int, event: Event, content: Content | None) -> None:
        """Take one event into all states that it touches.

        An event that names no user is joined by the Stripe ids that it carries, or waits under them. One that is not
        in the log yet has the position 0; `note_position` says it later.
        """
        if event.joins:
            self._apply_joined(position, event, content)
        elif event.type in _CUTS and event.source == OWN_SOURCE:
            self._cut(position, event)
        elif event.type == LIST_CHANGED and event.source == OWN_SOURCE:
            self._note_list(position, event)
        elif event.identity_entity is not None:
            if event.request_id or event.type == REQUEST_COST_REPORTED:
                self._pass_reservations(event, content)
            self._fold(position, event, content, event.identity_entity, event.identity or "")
            if event.type in ERASING_TYPES:
                self.erasures.request(event.identity_entity, event.received_at_ms)
        elif event.type == PENDING_EXPIRED and event.source == OWN_SOURCE:
            for expired in msgspec.json.decode(event.body, type=Expired).positions:
                self.states.joins.stop_waiting(expired)
        elif event.type == RECORD_READ and event.source == OWN_SOURCE:
            self.states.recent.note_event(AUDIT, position, event)
        elif event.source != OWN_SOURCE:
            self.states.recent.note_event(NOBODY, position, event)

    def clean(self, event: Event) -> Event:
        """The event as it may be kept: without the person where that was erased."""
        return self.erasures.clean(event, self.states.joins.owners)

    def note_position(self, position: int, event: Event) -> None:
        """An event that was folded before is in the log now."""
        if position and event.identity_entity is not None:
            self.states.recent.note_event(event.identity_entity, position, event)

    def _note_list(self, position: int, event: Event) -> None:
        """What was said in lists of an entity is found where an identity's events are."""
        for key in event.entities if position else ():
            self.states.recent.note_event(key, position, event)

    def _cut(self, position: int, event: Event) -> None:
        if position and event.identity_entity is not None:
            self.states.recent.note_event(event.identity_entity, position, event)
        state = self.states.edit(event.identity_entity or b"")
        for key in event.entities:
            entity = self.states.edit(key)
            if isinstance(state, IdentityState) and isinstance(entity, EntityState):
                cut(state, event.identity_entity or b"", key, entity, is_cut=event.type == LINK_CUT)

    def fill(self, event: Event, content: Content | None, catalog: Catalog, fill: Fill) -> None:
        """Take an event that was folded before into the features of ``catalog``: all else knows it.

        What is left over in a state from features that are kept no more goes on the way.
        """
        if event.type == ACCOUNT_JUDGED:
            return
        named = _named(event)
        owners = [named[0][0]] if named else self.states.joins.owners_by(event.joins, fill.target)
        for number, owner in enumerate(owners):
            for occurrence, keys in self._shares(event, content, owner, catalog, is_repeat=number > 0):
                for key in keys:
                    self._fill_into(key, occurrence, catalog, fill.since_ms)

    def _fill_into(self, key: EntityKey, occurrence: Occurrence, catalog: Catalog, since_ms: Mapping[str, int]) -> None:
        event = occurrence.event
        concerned = [
            feature
            for feature in catalog.plan(event.type).get(key[:1], ())
            if event.occurred_at_ms >= since_ms[feature.base] and feature.concerns(occurrence)
        ]
        state = self.states.edit(key) if concerned else None
        if state is None:
            return
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

    def ended(self, organization: EntityKey) -> Stamp | None:
        """When an organization was deleted last, to whomever the event was told; ``None`` where it never was."""
        state = self.entity(organization)
        return state.ended if state is not None else None

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
        """Fold an event that carries Stripe ids, and those before it that count for its owners from now on."""
        joins = self.states.joins
        named = _named(event)
        owners = [named[0][0]] if named else joins.owners(event.joins)
        claims = named or [(owner, event.joins) for owner in owners]
        found = [(owner, joins.claim(ids, owner, position)) for owner, ids in claims]
        for number, owner in enumerate(owners):
            self._fold(position, event, content, owner, event.identity or "", is_repeat=number > 0)
        if not named:
            joins.add_unnamed(position, event, is_waiting=not owners)
            if not owners:
                self.states.recent.note_event(NOBODY, position, event)
        is_first = not joins.releases
        joins.releases.add(release(position, found))
        if is_first and joins.releases:
            self.deliver_some(MOST_DELIVERED)

    @property
    def is_delivering(self) -> bool:
        """Whether events that were claimed are still to be counted for those who claim them."""
        return bool(self.states.joins.releases)

    def deliver_some(self, most: int) -> bool:
        """Deliver some of the events that claims released; whether any are left."""
        releases = self.states.joins.releases
        for _ in range(most):
            if not releases:
                return False
            try:
                self._deliver_one(releases)
            finally:
                if releases.first.is_done:
                    releases.finish()
        return bool(releases)

    def deliver_all(self) -> None:
        """Deliver all that is left."""
        while self.deliver_some(MOST_DELIVERED):
            pass

    def deliver_until(self, reached: Reached | None) -> None:
        """Deliver as far as delivery was at another time; all of it where nothing was left then."""
        releases = self.states.joins.releases
        while releases and releases.reached != reached:
            self.deliver_some(1)

    def _deliver_one(self, releases: Releases) -> None:
        """Fold an event that names nobody for those who were found to claim an id of it, and so its other ids."""
        joins, learned = self.states.joins, releases.first.learned
        position, owners = releases.take()
        event = joins.load_event(position)
        joins.stop_waiting(position)
        if event is None:
            return
        # Whoever claims one of its ids has it, unless it is still on its way to him.
        others = (one for one in joins.owners(event.joins) if one not in owners)
        is_repeat = not all(releases.is_open(position, one) for one in others)
        for owner in owners:
            releases.add_further(owner, joins.claim(event.joins, owner, learned))
            self._fold(position, event, content_of(event), owner, "", is_repeat=is_repeat)
            is_repeat = True

    def _fold(
        self,
        position: int,
        event: Event,
        content: Content | None,
        owner: EntityKey,
        identity: str,
        *,
        is_repeat: bool = False,
    ) -> None:
        """Take an event into its owner's state and those of its entities; ``is_repeat`` where these know it."""
        if owner[:1] != _USER_LETTER:
            self._fold_shared(event, content, owner, is_repeat=is_repeat)
            return
        if position:
            self.states.recent.note_event(owner, position, event)
        erasures = self.erasures
        if position and owner in erasures and self._lies_whole(event):
            erasures.note_late(owner, event.received_at_ms)
        if owner in erasures.settled:
            event = erasures.scrubber.scrub(event)
            content, identity = content_of(event), event.identity or ""
        elif (refold := erasures.refolds.get(owner)) is not None:
            refold.take_new(position, event)
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
        if event.type == ORG_DELETED:
            self._end_organizations(event)
        if event.facts is not None:
            _note_facts(state, event.facts, event)
        entities = event.entities
        plan = self.catalog.plan(event.type)
        if not plan:
            for key in entities:
                self._link(state, owner, key, self._entity(key), at_ms)
            return
        occurrence = Occurrence(
            event, content, owner, self.catalog.names(event.type), self._tokens, is_repeat=is_repeat
        )
        for feature in plan.get(_USER_LETTER, ()):
            feature.update(state.features, occurrence)
        for key in entities:
            entity = self._entity(key)
            self._link(state, owner, key, entity, at_ms)
            for feature in plan.get(key[:1], ()):
                feature.update(entity.features, occurrence)

    def _lies_whole(self, event: Event) -> bool:
        """Whether an event that names nobody was kept before it was known to be of none but erased ones."""
        if event.identity_entity is not None or not all(
            owner in self.erasures for owner in self.states.joins.owners(event.joins)
        ):
            return False
        return self.erasures.scrubber.scrub(event) != event

    def _fold_shared(self, event: Event, content: Content | None, owner: EntityKey, *, is_repeat: bool) -> None:
        """Take an event of an organization: it has no record, features of what the event names count it."""
        plan = self.catalog.plan(event.type)
        for occurrence, keys in self._shares(event, content, owner, self.catalog, is_repeat=is_repeat) if plan else ():
            for key in keys:
                for feature in plan.get(key[:1], ()):
                    feature.update(self._entity(key).features, occurrence)

    def _shares(
        self, event: Event, content: Content | None, owner: EntityKey, catalog: Catalog, *, is_repeat: bool
    ) -> list[tuple[Occurrence, tuple[EntityKey, ...]]]:
        """The event as its owner sees it, for whom it is new, and as those see it that may know it by another owner."""
        names = catalog.names(event.type)
        own = Occurrence(event, content, owner, names, self._tokens)
        others = tuple(key for key in event.entities if key != owner)
        if not is_repeat:
            return [(own, (owner, *others))]
        return [(own, (owner,)), (Occurrence(event, content, owner, names, self._tokens, is_repeat=True), others)]

    def _end_organizations(self, event: Event) -> None:
        stamp = stamp_of(event)
        for key in organizations_of(event):
            entity = self._entity(key)
            if entity.ended is None or entity.ended < stamp:
                entity.ended = stamp

    def _link(self, state: IdentityState, owner: EntityKey, key: EntityKey, entity: EntityState, at_ms: int) -> None:
        displaced = link(state, owner, key, entity, at_ms)
        if displaced is not None:
            self.states.recent.note_crowd(key, displaced)
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


def _named(event: Event) -> list[tuple[EntityKey, tuple[EntityKey, ...]]]:
    """Whom an event names, each with the ids that it says are his.

    A person pays by a charge or an intent; the customer, the subscription and the method behind it are the
    organization's where one is named.
    """
    person = event.identity_entity
    organization = next((key for key in event.entities if key[:1] == _ORGANIZATION_LETTER), None)
    if not event.type.startswith(_NAMING_ORGANIZATIONS):
        organization = None
    if person is None:
        return [(organization, event.joins)] if organization else []
    if organization is None:
        return [(person, event.joins)]
    shared = tuple(join for join in event.joins if join[:1] not in _PERSONAL_IDS)
    return [(person, tuple(join for join in event.joins if join[:1] in _PERSONAL_IDS)), (organization, shared)]


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
