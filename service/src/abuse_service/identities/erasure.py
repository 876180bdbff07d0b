"""Who was erased, and the records that are being made anew without the person in them (0023)."""

from collections.abc import Callable, Collection, Iterable

import msgspec

from abuse_service.events.content import content_of
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import ERASING_TYPES, LIST_CHANGED, Event
from abuse_service.events.scrub import Scrubber
from abuse_service.identities.fold import fold
from abuse_service.identities.record import Record


class Erasure(msgspec.Struct, frozen=True):
    """One identity's erasure; ``done_at_ms`` is ``None`` until nothing of the person is left on disk."""

    entity: EntityKey
    requested_at_ms: int
    done_at_ms: int | None = None


class Refold:
    """A record folded again from scrubbed events: from those of the log one by one, and from those that come."""

    def __init__(self, scrubber: Scrubber, position: int, ahead: Iterable[int]) -> None:
        """It begins when the log stands at ``position``; the requests ``ahead`` were folded before, and come there."""
        self.record = Record()
        self.is_partial = False
        """Some of its events are no longer there: what was folded anew lacks what they said."""
        self._scrubber = scrubber
        self._position = position
        self._ahead = frozenset(ahead)
        self._told: set[int] = set()

    def take_new(self, position: int, event: Event) -> None:
        """Take in an event that is folded now."""
        if position:
            self._told.add(position)
        self._fold(event)

    def take_old(self, position: int, event: Event) -> None:
        """Take in an event that was folded before the refold began; one that came since is passed over."""
        if position in self._told or (position > self._position and event.request_id not in self._ahead):
            return
        self._told.add(position)
        self._fold(event)

    def _fold(self, event: Event) -> None:
        scrubbed = self._scrubber.scrub(event)
        fold(self.record, scrubbed, content_of(scrubbed))


class Erasures:
    """Everybody who was erased or is about to be, by entity.

    From the moment when an erasure is known its identity's events are scrubbed before they are kept. A *settled* one
    has a record without the person, and whatever is folded into it is scrubbed too.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber
        self.pending: dict[EntityKey, Erasure] = {}
        self.settled: set[EntityKey] = set()
        self.refolds: dict[EntityKey, Refold] = {}
        self.late: dict[EntityKey, int] = {}
        """Of whom events lie whole in the log that were learned to be his after his erasure began, and how many."""

    def __contains__(self, entity: EntityKey | None) -> bool:
        return entity in self.settled or entity in self.pending

    def __bool__(self) -> bool:
        return bool(self.settled or self.pending)

    def restore(self, known: Iterable[Erasure]) -> None:
        """Hold what is known from before."""
        for erasure in known:
            if erasure.done_at_ms is None:
                self.pending.setdefault(erasure.entity, erasure)
            else:
                self.settled.add(erasure.entity)

    def request(self, entity: EntityKey, at_ms: int) -> None:
        """Erase an identity from now on; one that was erased stays so."""
        if entity not in self:
            self.pending[entity] = Erasure(entity, at_ms)

    def begin(self, entity: EntityKey, position: int, ahead: Iterable[int]) -> Refold:
        """Begin to fold a record anew."""
        refold = self.refolds[entity] = Refold(self.scrubber, position, ahead)
        return refold

    def settle(self, entity: EntityKey) -> None:
        """The record that was folded anew took the old one's place."""
        self.refolds.pop(entity, None)
        self.settled.add(entity)

    def abandon(self, entity: EntityKey) -> None:
        """Folding anew did not come to its end; it is begun again."""
        self.refolds.pop(entity, None)

    def note_late(self, entity: EntityKey, at_ms: int) -> None:
        """An event that lies whole in the log turns out to be an erased one's: he is erased once more."""
        self.late[entity] = self.late.get(entity, 0) + 1
        self.pending.setdefault(entity, Erasure(entity, at_ms))

    def finish(self, entity: EntityKey, late: int | None) -> None:
        """Nothing of the person is left on disk, unless more came late than the ``late`` ones of the begin."""
        if self.late.get(entity) == late:
            self.late.pop(entity, None)
            self.pending.pop(entity, None)

    def clean(self, event: Event, owners_of: Callable[[tuple[EntityKey, ...]], Collection[EntityKey]]) -> Event:
        """The event as it may be kept: scrubbed where all whom it is about were erased, or it says so itself.

        That is the identity that it names, or where it names none whoever claims one of its ids, as ``owners_of`` says.
        """
        if event.type in ERASING_TYPES:
            return self.scrubber.scrub(event)
        if event.type == LIST_CHANGED:
            return self.scrubber.scrub(event) if any(key in self for key in event.entities) else event
        if event.identity_entity is not None:
            return self.scrubber.scrub(event) if event.identity_entity in self else event
        about = owners_of(event.joins) if event.joins and self else ()
        return self.scrubber.scrub(event) if about and all(owner in self for owner in about) else event
