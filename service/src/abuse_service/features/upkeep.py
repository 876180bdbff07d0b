"""Which features' states are kept, since when each is complete, and what is still to be filled in (ADR 0013)."""

from collections.abc import Mapping

import msgspec

from abuse_service.features.rows import GRACE_MS

NEVER_MS = 2**62
"""Later than any instant."""


class Fill(msgspec.Struct):
    """States that began to be kept at one instant, and how far the events before it were taken in.

    Events up to ``target`` come from the log, ``done`` is the newest of them that was taken. ``since_ms`` says of each
    state (by its base) which events are too old to matter. What an event counts for an owner who was learned behind
    ``target`` was taken then. Requests ``ahead`` were answered before that instant, though their records stand behind
    ``target``.
    """

    started_at_ms: int
    since_ms: dict[str, int]
    target: int
    done: int = 0
    ahead: tuple[int, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """What an image says of the states in it.

    ``generations`` holds each base that is kept; what stands in a state under another key is left over and never read.
    ``complete_since_ms`` names those that say too little of instants before.
    """

    generations: dict[str, int] = {}
    complete_since_ms: dict[str, int] = {}
    fills: tuple[Fill, ...] = ()
    newest_generation: int = 0


class Upkeep:
    """The states that are kept, by the bases of their features."""

    def __init__(self, kept: Kept) -> None:
        self.fills = [msgspec.structs.replace(fill, since_ms=dict(fill.since_ms)) for fill in kept.fills]
        self._generations = dict(kept.generations)
        self._newest_generation = kept.newest_generation
        self._complete_since_ms = dict(kept.complete_since_ms)
        self._doubts = self._find_doubts()

    @classmethod
    def whole(cls, bases: Mapping[str, object]) -> "Upkeep":
        """Keep these from the first event on."""
        return cls(Kept(dict.fromkeys(bases, 0)))

    def sample(self) -> Kept:
        """What an image of this instant says."""
        fills = tuple(msgspec.structs.replace(fill, since_ms=dict(fill.since_ms)) for fill in self.fills)
        return Kept(dict(self._generations), dict(self._complete_since_ms), fills, self._newest_generation)

    @property
    def generations(self) -> Mapping[str, int]:
        """The generation of each base that is kept."""
        return self._generations

    @property
    def doubts(self) -> Mapping[str, int]:
        """The bases that say too little of instants before the one named; while one is filled, of any instant."""
        return self._doubts

    @property
    def filling(self) -> int:
        """How many states are being filled."""
        return sum(len(fill.since_ms) for fill in self.fills)

    def change(
        self,
        wanted_since_ms: Mapping[str, int],
        *,
        at_ms: int,
        position: int,
        ahead: tuple[int, ...],
    ) -> None:
        """Keep these bases from now on and no others. Those that are new begin anew and are to be filled.

        The states hold the events up to ``position``, and the requests ``ahead`` of it.
        """
        for base in self._generations.keys() - wanted_since_ms.keys():
            del self._generations[base]
            self._complete_since_ms.pop(base, None)
            for fill in self.fills:
                fill.since_ms.pop(base, None)
        new = {base: since for base, since in wanted_since_ms.items() if base not in self._generations}
        if new:
            self._newest_generation += 1
            self._generations |= dict.fromkeys(new, self._newest_generation)
            self.fills.append(Fill(at_ms, new, position, 0, ahead))
        self.fills = [fill for fill in self.fills if fill.since_ms]
        self._doubts = self._find_doubts()

    def finish(self, fill: Fill) -> None:
        """All that a fill had to take in was taken."""
        self.fills.remove(fill)
        for base, since_ms in fill.since_ms.items():
            if since_ms:
                self._complete_since_ms[base] = max(0, fill.started_at_ms - GRACE_MS)
        self._doubts = self._find_doubts()

    def complete_since_ms(self, base: str) -> int | None:
        """The instant from which on the state says all; 0 for all of time, ``None`` while it is filled."""
        since_ms = self._doubts.get(base, 0)
        return None if since_ms == NEVER_MS else since_ms

    def doubt_all(self, bases: Mapping[str, int]) -> None:
        """Take these for unknown before an instant each, and no others: for a replay of a moment when they were so."""
        self._doubts = dict(bases)

    def doubt(self, base: str) -> str:
        """What a state that does not say all yet lacks, for people."""
        if self.complete_since_ms(base) is None:
            return f"is being filled, {self.share_filled(base):.0%}"
        return "says too little of that instant"

    def share_filled(self, base: str) -> float:
        """Which share of the log was taken in."""
        for fill in self.fills:
            if base in fill.since_ms:
                return fill.done / fill.target if fill.target else 0.0
        return 1.0

    def _find_doubts(self) -> dict[str, int]:
        filling = {base: NEVER_MS for fill in self.fills for base in fill.since_ms}
        return self._complete_since_ms | filling


__all__ = ["Fill", "Kept", "Upkeep"]
