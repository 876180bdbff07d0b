"""Every policy that was in force, and when, by whom and why. Pure; its truth is the log (ADR 0013)."""

import enum
import hashlib
from collections.abc import Sequence

import msgspec

from abuse_service.errors import BadRequest, NotFound

MOST_KEPT = 3
"""Versions whose features stay up to date: the active one and those before it, so that a rollback misses nothing."""


class Cause(enum.StrEnum):
    """What made a version the active one."""

    SETTINGS = "settings"
    ACTIVATE = "activate"
    ROLLBACK = "rollback"


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the policy, as its event says it. ``text`` is there where the version was not seen before."""

    version: str
    cause: Cause
    actor: str
    reason: str
    text: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the history."""

    position: int
    at_ms: int
    version: str
    cause: Cause
    actor: str
    reason: str


def version_of(text: str) -> str:
    """Names this exact text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class PolicyBook:
    """Versions by the hash of their text, and the order in which they were active."""

    def __init__(self) -> None:
        self.history: list[Entry] = []
        self._texts: dict[str, str] = {}
        # What was activated and not taken back, the active one last.
        self._standing: list[Entry] = []

    def note(self, position: int, at_ms: int, said: Activation) -> None:
        """Write down what an event says, in the order of the log."""
        entry = Entry(
            position=position,
            at_ms=at_ms,
            version=said.version,
            cause=said.cause,
            actor=said.actor,
            reason=said.reason,
        )
        if said.text is not None:
            self._texts[said.version] = said.text
        self.history.append(entry)
        standing = self._standing
        if said.cause is Cause.ROLLBACK and len(standing) > 1:
            standing.pop()
        elif standing and standing[-1].version == said.version:
            standing[-1] = entry
        else:
            standing.append(entry)

    @property
    def positions(self) -> tuple[int, ...]:
        """Where the events stand in the log."""
        return tuple(entry.position for entry in self.history)

    @property
    def active(self) -> str | None:
        """The version in force, ``None`` before the first."""
        return self._standing[-1].version if self._standing else None

    @property
    def versions(self) -> tuple[str, ...]:
        """All that were ever active, in the order in which they came."""
        return tuple(self._texts)

    def text(self, version: str) -> str:
        """The text of a version; the beginning of its name will do. Raises `NotFound`."""
        return self._texts[self.find(version)]

    def find(self, version: str) -> str:
        """The full name of a version. Raises `NotFound`."""
        found = [name for name in self._texts if name.startswith(version)] if len(version) >= 4 else []
        if len(found) != 1:
            raise NotFound("no version of the policy has this name; abuse-service policy history lists them")
        return found[0]

    def knows(self, version: str) -> bool:
        """Whether the text of a version is in the book."""
        return version in self._texts

    def before(self) -> str:
        """The version that a rollback returns to. Raises `BadRequest` where there is none."""
        if len(self._standing) < 2:
            raise BadRequest("there is no earlier policy to roll back to")
        return self._standing[-2].version

    def kept(self, active: str) -> Sequence[str]:
        """``active``, and the versions that were active last, `MOST_KEPT` together."""
        newest = dict.fromkeys([active, *(entry.version for entry in reversed(self.history))])
        return list(newest)[:MOST_KEPT]

    def settings_speak(self, version: str, *, is_shipped: bool) -> bool:
        """Whether what the settings name is to be activated at a start.

        It is when it changed since the settings spoke last; what an operator activated since then stays until it does.
        The policy that ships never takes the place of one that an operator chose.
        """
        if not self._standing:
            return True
        if is_shipped and self._standing[-1].cause is not Cause.SETTINGS:
            return False
        spoken = [entry.version for entry in self.history if entry.cause is Cause.SETTINGS]
        return not spoken or spoken[-1] != version
