"""What models cost, as far as a policy says, and how a request's cost is guessed before it is known (decision 0014)."""

import functools
from collections.abc import Mapping

import msgspec

from abuse_service.errors import PolicyError

RESERVATION_THRESHOLDS = {
    "reservation_seconds": 600,
    "reservation_most_microdollars": 100_000,
    "reservation_output_tokens": 1_000,
}
"""Thresholds that reserving reads, and what holds where the policy does not name them."""

_LIMITS = {
    "reservation_seconds": (1, 86_400),
    "reservation_most_microdollars": (0, 10**12),
    "reservation_output_tokens": (0, 10**9),
}
_LARGEST_PRICE = 10**12
_MOST_MODELS = 2_000


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Microdollars for a million tokens that go in, and that come out."""

    input: int
    output: int


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices by a part of the model's name, the first that it holds; ``default`` for every other model."""

    default: Price = Price(input=3_000_000, output=15_000_000)
    models: dict[str, Price] = {}


class PriceTable:
    """The prices of one policy with the thresholds that limit a guess."""

    def __init__(self, prices: Prices, thresholds: Mapping[str, int | float]) -> None:
        said = {name: int(thresholds.get(name, value)) for name, value in RESERVATION_THRESHOLDS.items()}
        self.seconds = said["reservation_seconds"]
        self.most_microdollars = said["reservation_most_microdollars"]
        self.output_tokens = said["reservation_output_tokens"]
        self._prices = prices
        self.price_of = functools.lru_cache(maxsize=_MOST_MODELS)(self._find)

    def guess(self, model: str, input_tokens: int, output_tokens: int | None, mean_microdollars: int) -> int:
        """What a request may cost: by its ceiling of tokens or by what such requests cost so far, the larger.

        0 for a model that costs nothing. Never more than ``most_microdollars``.
        """
        price = self.price_of(model)
        if not (price.input or price.output):
            return 0
        output = self.output_tokens if output_tokens is None else output_tokens
        by_tokens = (input_tokens * price.input + output * price.output) // 1_000_000
        return min(self.most_microdollars, max(1, by_tokens, mean_microdollars))

    def _find(self, model: str) -> Price:
        named = model.lower()
        return next((price for part, price in self._prices.models.items() if part in named), self._prices.default)


def check_prices(prices: Prices, thresholds: Mapping[str, int | float]) -> None:
    """Refuse prices and limits that make no sense. Raises `PolicyError` that names the place."""
    for name, price in {
        "default": prices.default,
        **{f"models.{part}": one for part, one in prices.models.items()},
    }.items():
        if not (0 <= price.input <= _LARGEST_PRICE and 0 <= price.output <= _LARGEST_PRICE):
            raise PolicyError("expected microdollars for a million tokens, 0 or more", path=f"prices.{name}")
    for part in prices.models:
        if not part or part != part.lower():
            raise PolicyError("expected a part of a model's name in small letters", path=f"prices.models.{part}")
    for name, (least, most) in _LIMITS.items():
        if not least <= thresholds.get(name, least) <= most:
            raise PolicyError(f"expected a number from {least} to {most}", path=f"thresholds.{name}")
