"""The models on sale, with what they cost at the provider."""

from dataclasses import dataclass

TOKENS_A_PRICE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. A free one costs its user nothing and us the same as any other."""

    name: str
    provider: str
    upstream_name: str
    input_microdollars_per_million: int
    output_microdollars_per_million: int
    is_free: bool = False

    def cost_microdollars(self, input_tokens: int, output_tokens: int) -> int:
        """Return what the provider takes, rounded up to a whole microdollar."""
        total = (
            input_tokens * self.input_microdollars_per_million + output_tokens * self.output_microdollars_per_million
        )
        return -(-total // TOKENS_A_PRICE)


FALLBACK = Model(
    name="open/swift-1",
    provider="open",
    upstream_name="swift-1",
    input_microdollars_per_million=200_000,
    output_microdollars_per_million=800_000,
    is_free=True,
)
"""The free model that quarantined requests are rewritten to."""

CATALOGUE = {
    model.name: model
    for model in (
        FALLBACK,
        Model(
            name="acme/standard-2",
            provider="acme",
            upstream_name="standard-2",
            input_microdollars_per_million=3_000_000,
            output_microdollars_per_million=15_000_000,
        ),
        Model(
            name="acme/grand-2",
            provider="acme",
            upstream_name="grand-2",
            input_microdollars_per_million=15_000_000,
            output_microdollars_per_million=75_000_000,
        ),
        Model(
            name="acme/grand-2:free",
            provider="acme",
            upstream_name="grand-2",
            input_microdollars_per_million=15_000_000,
            output_microdollars_per_million=75_000_000,
            is_free=True,
        ),
    )
}


def find_model(name: str) -> Model | None:
    """Return the model of that name, in whatever case it is spelled."""
    return CATALOGUE.get(name.strip().lower())
