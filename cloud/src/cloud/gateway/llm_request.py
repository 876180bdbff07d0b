"""A request to a model as it came in, with what we know about who asks."""

import json
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cloud.errors import Invalid, NotFound
from cloud.gateway.callers import Caller
from cloud.gateway.catalogue import Model, find_model
from cloud.gateway.dialects import Dialect, Json
from cloud.network import NetworkFacts

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNSAID = frozenset({"data", "file_data", "image_url", "url"})
"""Fields of a prompt's parts that hold no text."""


@dataclass(frozen=True, kw_only=True)
class LlmRequest:
    """One request, in whatever API it came."""

    dialect: Dialect
    caller: Caller
    facts: NetworkFacts
    headers: dict[str, str]
    """Those that the provider gets."""
    model: Model
    requested_model: str
    raw: bytes
    body: Json

    @property
    def is_streamed(self) -> bool:
        return self.body.get("stream") is True

    @property
    def wants_usage(self) -> bool:
        """Whether the caller himself asks for the usage at the end of a stream."""
        options = self.body.get("stream_options")
        return not self.dialect.asks_for_usage or (isinstance(options, dict) and options.get("include_usage") is True)

    @property
    def is_charged(self) -> bool:
        return not (self.model.is_free or self.caller.own_key or self.caller.is_anonymous)

    def with_model(self, model: Model) -> "LlmRequest":
        return replace(self, model=model)

    def upstream_body(self) -> bytes:
        """Return the body for the provider: as it came but for the model, and for a stream's usage, which we need."""
        changed: Json = {"model": self.model.upstream_name}
        if self.is_streamed and not self.wants_usage:
            options = self.body.get("stream_options")
            changed["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        try:
            fields = _FIELDS.decode(self.raw)
        except msgspec.DecodeError:
            # Half a surrogate pair, or a number that is none: what Python reads is written as it was read, in ASCII.
            return json.dumps(self.body | changed).encode()
        return msgspec.json.encode(fields | {name: msgspec.Raw(msgspec.json.encode(v)) for name, v in changed.items()})

    def prompt_characters(self) -> int:
        """Return how much text the model reads, for answers that end before they tell what they used."""
        return sum(characters(self.body.get(name)) for name in (self.dialect.prompt, "instructions", "tools", "suffix"))


def read_request(dialect: Dialect, raw: bytes, caller: Caller, facts: NetworkFacts, headers: Json) -> LlmRequest:
    """Read the body, or say what is wrong with it."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Invalid("found a body that is no JSON") from None
    if not isinstance(body, dict):
        raise Invalid("found a body that is no object")
    if not isinstance(body.get(dialect.prompt), dialect.prompt_types):
        expected = " or ".join("a list" if kind is list else "a text" for kind in dialect.prompt_types)
        raise Invalid(f"found no prompt, expected {expected} at {dialect.prompt}")
    name = body.get("model")
    model = find_model(name) if isinstance(name, str) else None
    if model is None or not isinstance(name, str):
        raise NotFound("found no such model; GET /v1/models lists them")
    return LlmRequest(
        dialect=dialect,
        caller=caller,
        facts=facts,
        headers=headers,
        model=model,
        requested_model=name.lower(),
        raw=raw,
        body=body,
    )


def characters(thing: Any) -> int:
    if isinstance(thing, str):
        return len(thing)
    if isinstance(thing, list):
        return sum(map(characters, thing))
    if isinstance(thing, dict):
        return sum(characters(one) for name, one in thing.items() if name not in _UNSAID)
    return 0
