"""What the indexes on disk do not hold yet: which events are whose, and who stands in the crowd around an entity.

Gathered while events are folded, taken to disk with each cut, so that index and image are always of one instant.
"""

import bisect

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.identities.timeline import Entry, entry_of

MOST_ENTRIES = 200_000
"""Entries held before a cut is wanted: about 20 MB."""


class Gathered(msgspec.Struct):
    """What goes to disk together. The entries of an identity are in order."""

    timelines: dict[EntityKey, list[Entry]] = {}
    crowds: dict[EntityKey, set[EntityKey]] = {}
    entries: int = 0


class Recent:
    """What was gathered since the last cut, and what a cut in the making takes to disk."""

    def __init__(self) -> None:
        self._young = Gathered()
        self._old: Gathered | None = None

    @property
    def is_full(self) -> bool:
        """Whether a cut is wanted."""
        return self._young.entries >= MOST_ENTRIES

    def note_event(self, identity: EntityKey, position: int, event: Event) -> None:
        """An event is an identity's."""
        young = self._young
        young.entries += 1
        entry = entry_of(event.occurred_at_ms, position, event.type)
        entries = young.timelines.get(identity)
        if entries is None:
            young.timelines[identity] = [entry]
        elif entries[-1] < entry:
            entries.append(entry)
        else:
            bisect.insort(entries, entry)

    def note_crowd(self, entity: EntityKey, identity: EntityKey) -> None:
        """An identity was seen with an entity, whose state has no room to remember it."""
        self._young.crowds.setdefault(entity, set()).add(identity)

    def entries(self, identity: EntityKey) -> list[list[Entry]]:
        """The entries of an identity that are not on disk, as sorted lists."""
        lists = [generation.timelines.get(identity) for generation in self._generations()]
        return [entries for entries in lists if entries]

    def crowd(self, entity: EntityKey) -> set[EntityKey]:
        """Who stands around an entity and is not on disk."""
        return set().union(*(generation.crowds.get(entity, ()) for generation in self._generations()))

    def is_in_crowd(self, entity: EntityKey, identity: EntityKey) -> bool:
        """Whether one of them is this identity."""
        return any(identity in generation.crowds.get(entity, ()) for generation in self._generations())

    def begin_cut(self) -> Gathered:
        """Set what was gathered so far apart, for the image in the making."""
        self._old, self._young = self._young, Gathered()
        return self._old

    def finish_cut(self) -> None:
        """What was set apart is on disk."""
        self._old = None

    def abandon_cut(self) -> None:
        """What was set apart did not get to disk."""
        old, self._old = self._old, None
        if old is None:
            return
        young = self._young
        for identity, entries in old.timelines.items():
            young.timelines[identity] = sorted(entries + young.timelines.get(identity, []))
        for entity, crowd in old.crowds.items():
            young.crowds.setdefault(entity, set()).update(crowd)
        young.entries += old.entries

    def _generations(self) -> tuple[Gathered, ...]:
        return (self._young,) if self._old is None else (self._young, self._old)
