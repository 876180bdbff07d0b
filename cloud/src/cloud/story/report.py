"""What the story did: who is who, and what the cloud says it reported."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account of the story."""

    role: str
    kilo_user_id: str
    email: str
    deeds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StoryReport:
    """The accounts in the order of their coming, and the cloud's own counts by wire type."""

    accounts: tuple[Account, ...]
    reported: Mapping[str, int]

    def account(self, role: str) -> Account:
        """Return the first account of that role."""
        return next(account for account in self.accounts if account.role == role)

    @property
    def event_counts(self) -> dict[str, int]:
        """How many events of each of the 17 types the cloud reported."""
        others = ("auth.", "classify", "usage.")
        return {kind: number for kind, number in self.reported.items() if not kind.startswith(others)}
