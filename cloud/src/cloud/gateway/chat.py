"""A chat request as it came in, with what we know about who asks."""

import json
from dataclasses import dataclass, replace
from typing import Any, cast

from cloud.billing.owners import Owner
from cloud.errors import Invalid, NotFound
from cloud.gateway.catalogue import Model, find_model
from cloud.network import NetworkFacts

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks: a user, or an address without an account."""

    user_id: str
    is_anonymous: bool
    is_blocked: bool = False
    balance_microdollars: int = 0
    organization_id: str | None = None
    own_key: str | None = None
    """The provider's key that the user brings himself."""
    editor_name: str | None = None

    @property
    def owner(self) -> Owner:
        """Return whose balance pays: the organization's where the caller acts for one."""
        return Owner(user_id=self.user_id, organization_id=self.organization_id)


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One request for a completion."""

    caller: Caller
    facts: NetworkFacts
    model: Model
    requested_model: str
    body: Json

    @property
    def is_streamed(self) -> bool:
        return self.body.get("stream") is True

    @property
    def wants_usage_chunk(self) -> bool:
        options = self.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def max_tokens(self) -> int | None:
        limit = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return limit if isinstance(limit, int) else None

    def with_model(self, model: Model) -> "Chat":
        return replace(self, model=model)

    def last_text(self, role: str) -> str | None:
        """Return the text of the last message of that role."""
        for message in reversed(self.body["messages"]):
            if isinstance(message, dict) and message.get("role") == role:
                return text_of(message.get("content"))
        return None

    def upstream_body(self) -> bytes:
        """Return the request for the provider; a stream is made to tell its usage at the end."""
        body = {**self.body, "model": self.model.upstream_name}
        if self.is_streamed:
            options = self.body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        # ASCII escapes keep half a surrogate pair as it came; as UTF-8 it could not be written.
        return json.dumps(body).encode()


def read_chat(raw: bytes, caller: Caller, facts: NetworkFacts) -> Chat:
    """Read the body, or say what is wrong with it."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Invalid("found a body that is no JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        raise Invalid("found no messages, expected a list at messages")
    name = body.get("model")
    model = find_model(name) if isinstance(name, str) else None
    if model is None:
        raise NotFound("found no such model; GET /v1/models lists them")
    return Chat(caller=caller, facts=facts, model=model, requested_model=cast(str, name).lower(), body=body)


def text_of(content: object) -> str | None:
    """Return the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return None
