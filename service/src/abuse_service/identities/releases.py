"""Events that a claim releases: they named nobody, and count for an owner from then on.

A claim may release a hundred thousand of them. They are delivered one after the other, in slices between two requests;
how far that was is said by each decision that is made meanwhile.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from abuse_service.events.entity import EntityKey

Reached = tuple[int, int]
"""The position at which a claim was learned, and how many of the events that it released were delivered."""


class Release(msgspec.Struct):
    """What one event's claims released: events by position, each with the owners for whom it counts now.

    ``taken`` are, by owner, the positions in the queue: each counts for him once. ``done`` of it are delivered.
    """

    learned: int
    queue: list[tuple[int, list[EntityKey]]]
    taken: dict[EntityKey, set[int]]
    done: int = 0

    @property
    def is_done(self) -> bool:
        """Whether all of it is delivered."""
        return self.done >= len(self.queue)


def release(learned: int, found: Sequence[tuple[EntityKey, list[int]]]) -> Release:
    """What claims that were learned together release: for each owner these positions."""
    together: dict[int, list[EntityKey]] = {}
    for owner, positions in found:
        for position in positions:
            together.setdefault(position, []).append(owner)
    return Release(learned, list(together.items()), {owner: set(positions) for owner, positions in found})


class Releases:
    """What is still to be delivered, in the order in which it was learned."""

    def __init__(self) -> None:
        self._waiting: deque[Release] = deque()
        self._open: set[tuple[int, EntityKey]] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def reached(self) -> Reached | None:
        """How far delivery is; ``None`` where nothing is left."""
        return (self._waiting[0].learned, self._waiting[0].done) if self._waiting else None

    @property
    def first(self) -> Release:
        """The one that is delivered now."""
        return self._waiting[0]

    def add(self, release: Release) -> None:
        """Deliver this one as well, when its turn comes, but for what is on its way to the same owner already."""
        queue = [
            (position, [owner for owner in owners if (position, owner) not in self._open])
            for position, owners in release.queue
        ]
        release.queue = [entry for entry in queue if entry[1]]
        if release.queue:
            self._hold(release)

    def _hold(self, release: Release) -> None:
        self._waiting.append(release)
        self._open |= {(position, owner) for position, owners in release.queue[release.done :] for owner in owners}

    def add_further(self, owner: EntityKey, positions: Iterable[int]) -> None:
        """Deliver further ones with the first release: an id of one of its events led to them."""
        taken = self.first.taken.setdefault(owner, set())
        for position in positions:
            if position not in taken and (position, owner) not in self._open:
                taken.add(position)
                self.first.queue.append((position, [owner]))
                self._open.add((position, owner))

    def take(self) -> tuple[int, list[EntityKey]]:
        """The next one, with those for whom it counts; it is delivered to them then."""
        release = self.first
        position, owners = release.queue[release.done]
        release.done += 1
        self._open.difference_update((position, owner) for owner in owners)
        return position, owners

    def is_open(self, position: int, owner: EntityKey) -> bool:
        """Whether an event that counts for an owner is still to be delivered to him."""
        return (position, owner) in self._open

    def finish(self) -> None:
        """The first one is delivered."""
        self._waiting.popleft()

    def sample(self) -> tuple[Release, ...]:
        """All of them, as they are now."""
        return tuple(
            Release(one.learned, list(one.queue), {owner: set(taken) for owner, taken in one.taken.items()}, one.done)
            for one in self._waiting
        )

    def restore(self, releases: Iterable[Release]) -> None:
        """Hold what an image held."""
        self._waiting.clear()
        self._open.clear()
        for one in releases:
            self._hold(one)
