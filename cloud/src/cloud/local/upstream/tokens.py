"""Tokens: counted and cut by Mistral's own tokenizer (Tekken), whose vocabulary ships in its package."""

from functools import cache
from importlib import resources
from itertools import cycle, islice

from mistral_common.tokens.tokenizers.tekken import Tekkenizer

VOCABULARY = "tekken_240911.json"
TEXT = """The answer is made on this machine. It means nothing, it only takes its time and its tokens:
whoever counts them finds as many as the bill says. Then it begins anew, until it is as long as it was asked to be.
"""


@cache
def tokenizer() -> Tekkenizer:
    """Return the tokenizer; to load it takes most of a second, once."""
    with resources.as_file(resources.files("mistral_common") / "data" / VOCABULARY) as path:
        return Tekkenizer.from_file(path)


def tokens_of(text: str) -> list[int]:
    """Return the text's tokens."""
    return tokenizer().encode(text, bos=False, eos=False)


def say(number: int, tokens_a_piece: int) -> list[str]:
    """Return a text of so many tokens, cut into pieces of so many."""
    said = iter(list(islice(cycle(sayable()), number)))
    pieces = iter(lambda: list(islice(said, tokens_a_piece)), [])
    return [tokenizer().decode(piece) for piece in pieces]


@cache
def sayable() -> tuple[int, ...]:
    return tuple(tokens_of(TEXT))
