"""The APIs that the gateway speaks: where each differs from the others, and nothing else does."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from abuse_client.integrations import anthropic, openai
from abuse_client.integrations.usage import Meter

Json = dict[str, Any]

OPENAI_ERRORS = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
ANTHROPIC_ERRORS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
ANTHROPIC_VERSION = "2023-06-01"


def openai_error(status: int, code: str, message: str) -> Json:
    return {"error": {"message": message, "type": kind_of(status, OPENAI_ERRORS), "param": None, "code": code}}


def anthropic_error(status: int, code: str, message: str) -> Json:
    # The code is an addition of ours: clients keep fields that they do not know.
    error = {"type": kind_of(status, ANTHROPIC_ERRORS, "api_error"), "message": message, "code": code}
    return {"type": "error", "error": error}


def mistral_error(status: int, code: str, message: str) -> Json:
    kind = kind_of(status, OPENAI_ERRORS)
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def responses_failure(error: Json) -> Json:
    # Documented is the flat shape; the official client raises where there is an `error`.
    return {"type": "error", "sequence_number": 0, **error["error"], **error}


def kind_of(status: int, kinds: Mapping[int, str], broken: str = "server_error") -> str:
    return kinds.get(status, broken if status >= 500 else "invalid_request_error")


def is_finished_chat(piece: Json) -> bool:
    choices = piece.get("choices")
    return isinstance(choices, list) and any(isinstance(one, dict) and one.get("finish_reason") for one in choices)


def is_finished_response(piece: Json) -> bool:
    return piece.get("type") in ("response.completed", "response.incomplete", "response.failed", "error")


def is_finished_message(piece: Json) -> bool:
    return piece.get("type") in ("message_stop", "error")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One API."""

    feature: str
    """What the abuse service is told that was used."""
    path: str
    prompt: str
    """The field that holds what the model shall read."""
    prompt_types: tuple[type, ...]
    take: Callable[[Meter, Any], None]
    """Reads an answer, or a piece of one."""
    error: Callable[[int, str, str], Json]
    ends: Callable[[Json], bool]
    """Whether a stream is whole with this piece."""
    names_events: bool = False
    """Whether the events of a stream have names beside their data."""
    failure: Callable[[Json], Json] = dict
    """Makes of an error what tells of it in a stream."""
    asks_for_usage: bool = False
    """Whether a stream tells its usage only when `stream_options` ask for it."""
    key_header: str = "authorization"
    key_prefix: str = "Bearer "
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Headers of the caller that the provider gets, with what they are where he sends none."""

    def failure_event(self, status: int, code: str, message: str) -> bytes:
        """Return the event that ends a stream which cannot go on."""
        name = "event: error\n" if self.names_events else ""
        return f"{name}data: {json.dumps(self.failure(self.error(status, code, message)))}\n\n".encode()


CHAT_COMPLETIONS = Dialect(
    feature="chat_completions",
    path="/chat/completions",
    prompt="messages",
    prompt_types=(list,),
    take=openai.take,
    error=openai_error,
    ends=is_finished_chat,
    asks_for_usage=True,
)
RESPONSES = Dialect(
    feature="responses",
    path="/responses",
    prompt="input",
    prompt_types=(str, list),
    take=openai.take,
    error=openai_error,
    ends=is_finished_response,
    names_events=True,
    failure=responses_failure,
)
MESSAGES = Dialect(
    feature="messages",
    path="/messages",
    prompt="messages",
    prompt_types=(list,),
    take=anthropic.take,
    error=anthropic_error,
    ends=is_finished_message,
    names_events=True,
    key_header="x-api-key",
    key_prefix="",
    headers={"anthropic-version": ANTHROPIC_VERSION, "anthropic-beta": None},
)
FILL_IN_THE_MIDDLE = Dialect(
    feature="fim_completions",
    path="/fim/completions",
    prompt="prompt",
    prompt_types=(str,),
    take=openai.take,
    error=mistral_error,
    ends=is_finished_chat,
)
DIALECTS = (CHAT_COMPLETIONS, RESPONSES, MESSAGES, FILL_IN_THE_MIDDLE)
