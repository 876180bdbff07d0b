"""What was sent of each made-up user, to be held against what the service says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

from abuse_lab.desk import ServiceDesk, SpendPage
from abuse_lab.play.trace import TracedRequest


@dataclass(kw_only=True)
class Account:
    """The sums of one user."""

    requests: int = 0
    reports: int = 0
    cost_microdollars: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def told(self) -> SpendPage:
        """As the service would tell it."""
        return SpendPage(self.requests, self.reports, self.cost_microdollars, self.input_tokens, self.output_tokens)


@dataclass(kw_only=True)
class Ledger:
    """Who sent what, and what was answered."""

    accounts: dict[str, Account] = field(default_factory=dict)
    verdicts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note_request(self, user: str, verdict: str) -> None:
        """A request was classified."""
        self.accounts.setdefault(user, Account()).requests += 1
        self.verdicts[verdict] += 1

    def note_cost(self, user: str, request: TracedRequest, cost_microdollars: int) -> None:
        """Its cost was reported."""
        account = self.accounts.setdefault(user, Account())
        account.reports += 1
        account.cost_microdollars += cost_microdollars
        account.input_tokens += request.input_tokens
        account.output_tokens += request.output_tokens

    @property
    def cost_microdollars(self) -> int:
        """All that was spent."""
        return sum(account.cost_microdollars for account in self.accounts.values())

    def differences(self, desk: ServiceDesk) -> Iterator[str]:
        """Each user of whom the service says anything else than what was sent, to the microdollar."""
        for user, account in self.accounts.items():
            try:
                said = desk.identity(f"user:{user}").record.spend
            except httpx.HTTPError as error:
                yield f"{user}: no record ({error})"
                continue
            if said != account.told():
                yield f"{user}: the service says {said}, sent were {account.told()}"
