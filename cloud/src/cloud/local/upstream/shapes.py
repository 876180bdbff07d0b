"""What every API of the provider has to say: how it asks, how it answers whole and in pieces, how it fails."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from cloud.local.upstream.answers import USUAL_TOKENS, Answer, Question

Json = dict[str, Any]


class Shape(Protocol):
    """One API."""

    def question(self, body: Json) -> Question | None:
        """Read a request; `None` when it is malformed."""

    def whole(self, body: Json, answer: Answer) -> Json:
        """Return the answer in one piece."""

    def events(self, body: Json, answer: Answer) -> Iterator[bytes]:
        """Return the answer as server-sent events."""

    def error(self, status: int, code: str, message: str) -> Json:
        """Return the body of a refusal."""


def sent(data: Json, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()


def limit(body: Json, *names: str) -> int:
    """Return how many tokens the answer may have."""
    asked = (body.get(name) for name in names)
    return next((most for most in asked if isinstance(most, int) and most > 0), USUAL_TOKENS)


def is_result(turn: Any, **marks: str) -> bool:
    """Say whether the turn carries what a tool gave."""
    return isinstance(turn, Mapping) and any(turn.get(name) == mark for name, mark in marks.items())


def functions(tools: Any, schema: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return the tools that have a name, with the schema of their arguments."""
    for tool in tools if isinstance(tools, list) else []:
        told = tool.get("function", tool) if isinstance(tool, Mapping) else {}
        if isinstance(told, Mapping) and isinstance(told.get("name"), str):
            yield told["name"], told.get(schema) or {}
