"""What the provider answers, before it is put into the shape of an API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cloud.local.upstream.tokens import say, tokens_of

USUAL_TOKENS = 64
PLACEHOLDERS: Mapping[str, Any] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A tool that the model wants to be called."""

    id: str
    name: str
    arguments: str
    """JSON."""

    @property
    def arguments_object(self) -> Any:
        return json.loads(self.arguments)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a request of any API asks for."""

    model: str
    texts: tuple[str, ...]
    """All that the model reads, in order."""
    max_tokens: int = USUAL_TOKENS
    tools: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Names with the schemas of their arguments; none where none may be called now."""
    tool_result: str | None = None
    """What a tool gave, if that is what the model is told last."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered, with what it takes."""

    id: str
    model: str
    pieces: tuple[str, ...]
    call: ToolCall | None
    input_tokens: int
    output_tokens: int
    cache_hit_tokens: int
    cache_write_tokens: int
    is_cut_short: bool
    """It ends because `max_tokens` is reached."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def answer_to(question: Question, prompt: list[int], cached: tuple[int, int], tokens_a_piece: int) -> Answer:
    """Call the first tool where one may be called, else repeat what a tool gave, else talk."""
    call = call_of(question) if question.tools else None
    pieces: list[str] = []
    if question.tool_result is not None:
        pieces = [f"The tool gave {question.tool_result}"]
        output_tokens = len(tokens_of(pieces[0]))
    elif call is not None:
        output_tokens = len(tokens_of(call.name)) + len(tokens_of(call.arguments))
    else:
        pieces, output_tokens = say(question.max_tokens, tokens_a_piece), question.max_tokens
    return Answer(
        id=uuid4().hex,
        model=question.model,
        pieces=tuple(pieces),
        call=call,
        input_tokens=len(prompt),
        output_tokens=output_tokens,
        cache_hit_tokens=cached[0],
        cache_write_tokens=cached[1],
        is_cut_short=call is None and question.tool_result is None,
    )


def call_of(question: Question) -> ToolCall:
    name, schema = question.tools[0]
    return ToolCall(id=uuid4().hex[:24], name=name, arguments=json.dumps(filled(schema)))


def filled(schema: Any) -> Any:
    """Return a value that the schema allows, for the common schemas of tools."""
    if not isinstance(schema, Mapping):
        return "anything"
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    if isinstance(schema.get("properties"), Mapping):
        return {name: filled(one) for name, one in schema["properties"].items()}
    return PLACEHOLDERS.get(str(schema.get("type")), "anything")


def texts_in(thing: Any) -> tuple[str, ...]:
    """Return every text inside, in order; of objects all but the fields that name and sort."""
    if isinstance(thing, str):
        return (thing,)
    if isinstance(thing, list):
        return tuple(text for one in thing for text in texts_in(one))
    if isinstance(thing, Mapping):
        return tuple(text for name, one in thing.items() if name not in UNREAD for text in texts_in(one))
    return ()


UNREAD = frozenset({"type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "cache_control", "status"})
