"""Who fits what an analyst looks for: entities seen with an identity, its block state, its newest verdict, its e-mail.

All that is asked for must hold. Results come in the order of entity keys, so that a page goes on behind the last one.
"""

import functools
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.identities.mark import mark_of, marks_that
from abuse_service.identities.state import MOST_MEMBERS, EntityState, IdentityState
from abuse_service.identities.states import States

MOST_LOOKED_AT = 2_000
"""Identities that one page looks at: where little fits, a page ends early and its cursor goes on."""
_ROWS_AT_ONCE = 200


class KeptCrowds(Protocol):
    """What the last cut says of crowds and marks."""

    def crowd(self, entity: EntityKey, after: EntityKey, most: int) -> list[EntityKey]:
        """Who was seen with an entity that has no room to remember him, behind ``after``, in the order of keys."""
        ...

    def is_in_crowd(self, entity: EntityKey, identity: EntityKey) -> bool:
        """Whether one of them is this identity."""
        ...

    def marked(self, mark: int, after: EntityKey, most: int) -> list[EntityKey]:
        """The identities with a mark, behind ``after``, in the order of keys."""
        ...


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; what is not given may be anything. ``emails`` are compared in lower case."""

    identities: tuple[EntityKey, ...] = ()
    entities: tuple[EntityKey, ...] = ()
    emails: tuple[str, ...] = ()
    marks: tuple[int, ...] | None = None
    after: EntityKey = b""
    most: int = 50


class Found(msgspec.Struct, frozen=True):
    """Who fits, in the order of keys, and behind whom to go on; ``None`` at the end."""

    states: list[tuple[EntityKey, IdentityState]]
    after: EntityKey | None


def search(states: States, kept: KeptCrowds, sought: Sought) -> Found:
    """A page of those who fit."""
    seek = _Seek(states, kept, sought)
    found: list[tuple[EntityKey, IdentityState]] = []
    last = sought.after
    for looked_at, key in enumerate(seek.candidates()):
        if len(found) == sought.most or looked_at == MOST_LOOKED_AT:
            return Found(found, last)
        state = seek.state_if_fits(key)
        if state is not None:
            found.append((key, state))
        last = key
    return Found(found, None)


class _Seek:
    def __init__(self, states: States, kept: KeptCrowds, sought: Sought) -> None:
        self._states = states
        self._kept = kept
        self._sought = sought
        self._members = {key: self._members_of(key) for key in sought.entities}

    def candidates(self) -> Iterator[EntityKey]:
        """Everybody who may fit, by what leaves the fewest, behind the cursor and in the order of keys."""
        sought = self._sought
        if sought.identities:
            return (key for key in sorted(set(sought.identities)) if key > sought.after)
        if sought.entities:
            return self._seen_with(min(sought.entities, key=lambda key: len(self._members[key])))
        return self._marked(marks_that() if sought.marks is None else sought.marks)

    def state_if_fits(self, key: EntityKey) -> IdentityState | None:
        """The identity's state, where all holds that is asked for."""
        sought = self._sought
        if sought.identities and set(sought.identities) != {key}:
            return None
        if not all(self._was_seen_with(entity, key) for entity in sought.entities):
            return None
        state = self._states.peek(key)
        if not isinstance(state, IdentityState):
            return None
        if sought.marks is not None and mark_of(state) not in sought.marks:
            return None
        if sought.emails and not {email.lower() for _, email in state.record.emails}.issuperset(sought.emails):
            return None
        return state

    def _members_of(self, entity: EntityKey) -> frozenset[EntityKey]:
        state = self._states.peek(entity)
        return frozenset(state.members) if isinstance(state, EntityState) else frozenset()

    def _seen_with(self, entity: EntityKey) -> Iterator[EntityKey]:
        members, after = self._members[entity], self._sought.after
        near = sorted(key for key in members | self._states.recent.crowd(entity) if key > after)
        if len(members) < MOST_MEMBERS:
            return iter(near)
        far = _paged(functools.partial(self._kept.crowd, entity), after)
        return _distinct(heapq.merge(near, far))

    def _was_seen_with(self, entity: EntityKey, key: EntityKey) -> bool:
        members = self._members[entity]
        if key in members or len(members) < MOST_MEMBERS:
            return key in members
        return self._states.recent.is_in_crowd(entity, key) or self._kept.is_in_crowd(entity, key)

    def _marked(self, marks: tuple[int, ...]) -> Iterator[EntityKey]:
        after = self._sought.after
        changed = self._states.changed_marks()
        near = sorted(key for key, mark in changed.items() if mark in marks and key > after)
        far = [_paged(functools.partial(self._kept.marked, mark), after) for mark in marks]
        return _distinct(heapq.merge(near, *far))


def _paged(read: Callable[[EntityKey, int], list[EntityKey]], after: EntityKey) -> Iterator[EntityKey]:
    """All rows behind a key, read a page at a time."""
    while rows := read(after, _ROWS_AT_ONCE):
        yield from rows
        if len(rows) < _ROWS_AT_ONCE:
            return
        after = rows[-1]


def _distinct(ordered: Iterable[EntityKey]) -> Iterator[EntityKey]:
    last = b""
    for key in ordered:
        if key != last:
            yield key
        last = key
