"""What an answer used, as the provider tells it."""

from dataclasses import dataclass
from typing import Any

from cloud.gateway.catalogue import Model


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one answer, and its cost when the provider says it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_hit_tokens: int = 0
    told_cost_usd: float | None = None

    def cost_microdollars(self, model: Model) -> int:
        """Return the true upstream cost: as told, else by the price list."""
        if self.told_cost_usd is not None:
            return round(self.told_cost_usd * 1_000_000)
        return model.cost_microdollars(self.input_tokens, self.output_tokens)


def read_usage(answer: Any) -> Usage | None:
    """Read the usage of an answer or of a stream's chunk; `None` when it tells none."""
    told = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(told, dict):
        return None
    details = told.get("prompt_tokens_details")
    cost = told.get("cost")
    return Usage(
        input_tokens=count(told.get("prompt_tokens")),
        output_tokens=count(told.get("completion_tokens")),
        cache_hit_tokens=count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
        told_cost_usd=float(cost) if isinstance(cost, int | float) else None,
    )


def count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
