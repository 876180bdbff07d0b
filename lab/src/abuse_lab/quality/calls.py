"""What is built before anything is played: accounts with their labels, and the calls that a cloud makes about them."""

import enum
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

FREE_INPUT_PRICE = 200_000
FREE_OUTPUT_PRICE = 800_000
"""Microdollars a million tokens of the free model that a quarantine routes to."""


class Endpoint(enum.StrEnum):
    """Where a call goes."""

    AUTH = "/api/auth-event"
    CLASSIFY = "/api/classify"
    EVENTS = "/api/events"
    COST = "/api/usage/cost"
    BLOCK = "/api/console/lists/blocked/add"
    TRUST = "/api/console/lists/trusted/add"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a request would use if it were proxied to the model that it asks for."""

    model: str
    cost_microdollars: int
    input_tokens: int
    output_tokens: int
    seconds: float
    is_byok: bool = False

    @property
    def cost_on_free_model(self) -> int:
        """What it costs when it is routed to a free model; never more than what was asked for."""
        total = self.input_tokens * FREE_INPUT_PRICE + self.output_tokens * FREE_OUTPUT_PRICE
        return min(self.cost_microdollars, -(-total // 1_000_000))


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One account, or one visitor without any, with its label, which the service never sees.

    ``passes_turnstile`` and ``passes_payment`` say what its owner can do when a gateway challenges him, ``retries`` how
    often his client asks again after a refusal.
    """

    user_id: str
    pattern: str
    is_abusive: bool
    passes_turnstile: bool = True
    passes_payment: bool = True
    retries: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of the cloud, or of one of its operators, at an instant of event time.

    ``is_abuse`` is false for what the owner of an account did before it was stolen or turned bad.
    """

    at_ms: int
    endpoint: Endpoint
    account: Account
    fields: Fields
    usage: Usage | None = None
    is_abuse: bool = False


@dataclass(frozen=True, kw_only=True)
class World:
    """Days of labelled traffic: every account, and all calls in event time."""

    seed: int
    accounts: list[Account]
    calls: list[Call]
