"""What an answer of an LLM used, and what that cost."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from abuse_client.gateway.passage import Passage

CHARACTERS_A_TOKEN = 4
"""For a stream that ended before it told its usage: about so many characters make a token."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer."""

    input_tokens: int = 0
    """The whole prompt, what came from a cache included."""
    output_tokens: int = 0
    cache_hit_tokens: int = 0
    cache_write_tokens: int = 0
    is_estimate: bool = False
    """The stream ended before it told; the output is judged by its length and the prompt by what was given."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs, USD per million tokens, which is microdollars per token."""

    input: float
    output: float
    cache_hit: float | None = None
    """``None``: as much as any input."""
    cache_write: float | None = None

    def __call__(self, model: str, usage: Usage) -> int:
        """The cost in microdollars."""
        plain = max(0, usage.input_tokens - usage.cache_hit_tokens - usage.cache_write_tokens)
        hit = self.input if self.cache_hit is None else self.cache_hit
        write = self.input if self.cache_write is None else self.cache_write
        prompt = plain * self.input + usage.cache_hit_tokens * hit + usage.cache_write_tokens * write
        return round(prompt + usage.output_tokens * self.output)


Costing = Callable[[str, Usage], int]
"""What an answer cost, in microdollars, by its model and its usage; a `Price` is one."""


class Meter:
    """What one answer has told so far; `report` is done once, at its end, however it ends."""

    def __init__(self, passage: Passage, costing: Costing, *, prompt_characters: int = 0) -> None:
        self._passage = passage
        self._costing = costing
        self._prompt_characters = prompt_characters
        self._is_reported = False
        self.message_id: str | None = None
        self.model = ""
        self.usage: Usage | None = None
        self.written_characters = 0

    @property
    def spent(self) -> Usage | None:
        """What the answer used, as it told or else as what came of it lets judge; ``None`` where nothing came."""
        return self.usage if self.usage is not None else self._estimate()

    def report(self) -> None:
        """Report what is known. Of an answer of which nothing came nothing is: unknown is not zero."""
        usage = self.spent
        if self._is_reported or usage is None:
            return
        self._is_reported = True
        self._passage.report_cost(
            message_id=self.message_id or f"msg-{uuid.uuid4().hex}",
            cost=self._costing(self.model, usage),
            requested_model=None,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_write_tokens=usage.cache_write_tokens or None,
            cache_hit_tokens=usage.cache_hit_tokens or None,
        )

    def _estimate(self) -> Usage | None:
        if self.message_id is None and not self.written_characters:
            return None
        return Usage(
            input_tokens=_tokens(self._prompt_characters),
            output_tokens=_tokens(self.written_characters),
            is_estimate=True,
        )


def read(thing: Any, name: str) -> Any:
    """A field of an SDK's object or of plain JSON; ``None`` when it is not there."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def count(thing: Any, name: str) -> int:
    """A number of tokens; 0 when it is not there."""
    found = read(thing, name)
    return found if isinstance(found, int) and found > 0 else 0


def length(text: Any) -> int:
    """How many characters a piece of an answer has; 0 when it is no text."""
    return len(text) if isinstance(text, str) else 0


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_A_TOKEN)
