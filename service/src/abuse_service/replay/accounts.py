"""What a backtest keeps of each account, by policy, so that parts of the log that were played apart add up."""

import enum
from collections.abc import Iterable

import msgspec

from abuse_client.contract import Verdict
from abuse_service.events.entity import EntityKey

SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
HURT = SEVERITY[Verdict.SOFT_BLOCK]
"""From here on a verdict refuses."""


class Label(enum.StrEnum):
    """Who says that an account is abusive. A block by the cloud that followed a verdict of ours proves nothing."""

    BLOCKED = "blocked"
    DISPUTED = "disputed"
    WARNED = "warned"
    ANALYST = "analyst"


class Lot(msgspec.Struct):
    """What one policy did to one account.

    ``first`` is the position of the first decision that was not ALLOW, 0 for none, ``worst`` the gravest verdict as a
    number. ``rules`` has a bit for each rule that fired. ``prevented_microdollars`` were spent by requests that the
    policy would have refused.
    """

    first: int = 0
    worst: int = 0
    rules: int = 0
    prevented_microdollars: int = 0
    why: str = ""

    def add(self, later: "Lot") -> None:
        """Take in what came later."""
        if not self.first:
            self.first, self.why = later.first, later.why
        self.worst = max(self.worst, later.worst)
        self.rules |= later.rules
        self.prevented_microdollars += later.prevented_microdollars


class Account(msgspec.Struct):
    """One account over a part of the log. Positions are of the log; a label at 0 is none.

    ``decided`` is the position of its first decision; what was known before is no label that could be predicted. An
    unclear one was blocked after a verdict of ours: that neither proves abuse nor leaves it honest.
    """

    lots: list[Lot]
    decided: int = 0
    decisions: int = 0
    is_paying: bool = False
    month: str = ""
    name: str = ""
    spent_microdollars: int = 0
    labelled: int = 0
    label: Label | None = None
    cleared: int = 0
    is_unclear: bool = False

    def note_label(self, position: int, label: Label) -> None:
        """Somebody says that it is abusive."""
        if not self.labelled or self.cleared > self.labelled:
            self.labelled, self.label = position, label

    def add(self, later: "Account") -> None:
        """Take in what came later."""
        for lot, other in zip(self.lots, later.lots, strict=True):
            lot.add(other)
        self.decided = self.decided or later.decided
        self.decisions += later.decisions
        self.is_paying = self.is_paying or later.is_paying
        self.month = self.month or later.month
        self.name = self.name or later.name
        self.spent_microdollars += later.spent_microdollars
        if later.label is not None:
            self.note_label(later.labelled, later.label)
        self.cleared = max(self.cleared, later.cleared)
        self.is_unclear = self.is_unclear or later.is_unclear

    @property
    def is_abusive(self) -> bool:
        """Labelled after its first decision, and not cleared since."""
        return bool(self.decided) and self.labelled > self.decided and self.cleared <= self.labelled

    @property
    def is_honest(self) -> bool:
        """Nobody labelled it."""
        return not self.is_abusive and not self.is_unclear

    @property
    def was_known(self) -> bool:
        """Labelled before anything was decided: there was nothing to predict."""
        return 0 < self.labelled <= self.decided and self.cleared <= self.labelled


def merge(parts: Iterable[dict[EntityKey, Account]]) -> dict[EntityKey, Account]:
    """The accounts of all parts, which come in the order of the log."""
    merged: dict[EntityKey, Account] = {}
    for part in parts:
        for key, account in part.items():
            known = merged.get(key)
            if known is None:
                merged[key] = account
            else:
                known.add(account)
    return merged
