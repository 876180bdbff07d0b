"""What the body of an LLM request says, in the shapes of chat completions, responses, messages and plain prompts."""

import json
from collections.abc import Mapping
from typing import Any

from abuse_client.contract import ClassifyPayload
from abuse_client.gateway.facts import RequestFacts

_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def describe_llm_request(
    body: Mapping[str, Any] | bytes,
    facts: RequestFacts | None = None,
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    sends_prompts: bool = True,
    **further: Any,
) -> ClassifyPayload:
    """The question about an LLM request: who, from where, which model, what it says.

    Without a user it is the anonymous one at the address. ``further`` are fields of the contract and win. Never raises:
    of a body that is no LLM request only what is known without it is told.
    """
    facts = facts or RequestFacts()
    fields = _fields(body)
    model = fields.get("model")
    read: dict[str, Any] = {
        "kilo_user_id": kilo_user_id or f"anon:{facts.client_ip or 'unknown_ip'}",
        "organization_id": organization_id,
        "requested_model": model.lower() if isinstance(model, str) else None,
        "max_tokens": next((fields[name] for name in _LIMITS if _is_count(fields.get(name))), None),
        "has_tools": bool(fields.get("tools")),
        "streamed": fields.get("stream") is True,
        **facts.to_payload(),
    }
    if sends_prompts:
        read |= {"user_prompt": last_user_text(fields), "system_prompt": system_text(fields)}
    return ClassifyPayload(**(read | further))


def last_user_text(body: Mapping[str, Any]) -> str | None:
    """The last thing that the user says in a request."""
    for shape in ("messages", "input", "prompt"):
        said = body.get(shape)
        if isinstance(said, str):
            return said
        if isinstance(said, list):
            return _last_of(said, "user")
    return None


def system_text(body: Mapping[str, Any]) -> str | None:
    """The system prompt of a request."""
    for name in ("system", "instructions"):
        if (said := text_of(body.get(name))) is not None:
            return said
    for shape in ("messages", "input"):
        turns = body.get(shape)
        if isinstance(turns, list):
            return _last_of(turns, "system") or _last_of(turns, "developer")
    return None


def text_of(content: object) -> str | None:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if texts else None
    return None


def _last_of(turns: list[Any], role: str) -> str | None:
    for turn in reversed(turns):
        if isinstance(turn, dict) and turn.get("role") == role:
            return text_of(turn.get("content"))
    return None


def _fields(body: Mapping[str, Any] | bytes) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
