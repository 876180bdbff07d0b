"""The models on sale, with what they cost at the provider."""

from dataclasses import dataclass

from abuse_client.integrations.usage import Price


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model. A free one costs its user nothing and us the same as any other."""

    name: str
    provider: str
    upstream_name: str
    price: Price
    is_free: bool = False


SWIFT = Price(input=0.2, output=0.8, cache_hit=0.05)
STANDARD = Price(input=3, output=15, cache_hit=0.3, cache_write=3.75)
GRAND = Price(input=15, output=75, cache_hit=1.5, cache_write=18.75)

FALLBACK = Model(name="open/swift-1", provider="open", upstream_name="swift-1", price=SWIFT, is_free=True)
"""The free model that quarantined requests are rewritten to."""

CATALOGUE = {
    model.name: model
    for model in (
        FALLBACK,
        Model(name="acme/standard-2", provider="acme", upstream_name="standard-2", price=STANDARD),
        Model(name="acme/grand-2", provider="acme", upstream_name="grand-2", price=GRAND),
        Model(name="acme/grand-2:free", provider="acme", upstream_name="grand-2", price=GRAND, is_free=True),
    )
}


def find_model(name: str) -> Model | None:
    """Return the model of that name, in whatever case it is spelled."""
    return CATALOGUE.get(name.strip().lower())


def describe(model: Model) -> dict[str, object]:
    """Return the model as it is listed, in the shape of OpenAI and of Anthropic at once, with USD a token."""
    price, is_free = model.price, model.is_free
    kinds = {
        "prompt": price.input,
        "completion": price.output,
        "input_cache_read": price.input if price.cache_hit is None else price.cache_hit,
        "input_cache_write": price.input if price.cache_write is None else price.cache_write,
    }
    return {
        "id": model.name,
        "object": "model",
        "type": "model",
        "display_name": model.name,
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": model.provider,
        "pricing": {kind: "0" if is_free else decimal(usd / 1_000_000) for kind, usd in kinds.items()},
    }


def decimal(usd: float) -> str:
    """Return a price without an exponent: `0.00000005`."""
    return f"{usd:.12f}".rstrip("0").rstrip(".")
