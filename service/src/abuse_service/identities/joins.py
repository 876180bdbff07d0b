"""Whose a Stripe id is, and the events that wait until that is learned."""

from collections.abc import Iterable
from typing import Protocol

from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event
from abuse_service.telemetry import log

Waiting = list[tuple[int, Event]]
"""Events with their positions, in the order of the log."""


class ColdOwners(Protocol):
    """The owners of the last finished cut, on disk."""

    def load_owner(self, join: str) -> EntityKey | None:
        """Whose the id is, or ``None``."""
        ...


class Joins:
    """Owners of Stripe ids such as ``charge:ch_1``; the first one stays.

    What was claimed since the last cut is in memory. Most ids are claimed once and never asked for, so a claim does not
    read: where two claim one id, the bulk write of the cut keeps the earlier.
    """

    def __init__(self, cold: ColdOwners, most_waiting_bytes: int = 64 * 1024 * 1024) -> None:
        """Above ``most_waiting_bytes`` the events that wait longest are given up: they stay in the log, unjoined."""
        self._cold = cold
        self._most_waiting_bytes = most_waiting_bytes
        self._young: dict[str, EntityKey] = {}
        self._old: dict[str, EntityKey] = {}
        self._events: dict[int, Event] = {}
        self._under: dict[str, set[int]] = {}
        self._waiting_bytes = 0

    @property
    def waiting(self) -> tuple[int, ...]:
        """Positions of the events that wait."""
        return tuple(self._events)

    def owner(self, joins: Iterable[str]) -> EntityKey | None:
        """Whose an event with these ids is: the first of them that has an owner says it."""
        for join in joins:
            # The oldest claim first: it is the one that stays.
            owner = self._cold.load_owner(join) or self._old.get(join) or self._young.get(join)
            if owner is not None:
                return owner
        return None

    def claim(self, joins: Iterable[str], owner: EntityKey) -> Waiting:
        """Note whose these ids are; returns the events that waited for it."""
        young = self._young
        for join in joins:
            if join not in young:
                young[join] = owner
        return self._release(joins) if self._under else []

    def wait(self, position: int, event: Event) -> None:
        """Keep an event until one of its ids is claimed."""
        self._events[position] = event
        self._waiting_bytes += len(event.body)
        for join in event.joins:
            self._under.setdefault(join, set()).add(position)
        while self._waiting_bytes > self._most_waiting_bytes:
            given_up = next(iter(self._events))
            self._forget(given_up)
            log.warning("too many events wait for their owner, the oldest is given up", position=given_up)

    def begin_cut(self) -> dict[str, EntityKey]:
        """Set what was claimed so far apart, for the image in the making."""
        self._old, self._young = self._young, {}
        return self._old

    def finish_cut(self) -> None:
        """What was set apart is on disk."""
        self._old = {}

    def abandon_cut(self) -> None:
        """What was set apart did not get to disk."""
        self._young = self._young | self._old
        self._old = {}

    def _release(self, joins: Iterable[str]) -> Waiting:
        positions = {position for join in joins for position in self._under.get(join, ())}
        return [(position, self._forget(position)) for position in sorted(positions)]

    def _forget(self, position: int) -> Event:
        event = self._events.pop(position)
        self._waiting_bytes -= len(event.body)
        for join in set(event.joins):
            under = self._under[join]
            under.discard(position)
            if not under:
                del self._under[join]
        return event
