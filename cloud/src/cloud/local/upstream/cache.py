"""Which beginnings of prompts the provider has read before, as real ones remember them: by whole blocks of tokens."""

from collections import OrderedDict

BLOCK_TOKENS = 128
LEAST_BLOCKS = 8
"""A prompt shorter than 1,024 tokens is not kept."""
MOST_BLOCKS = 100_000


class PromptCache:
    """Remembers blocks, each together with all that stood before it."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def read(self, tokens: list[int]) -> tuple[int, int]:
        """Return how many tokens of the prompt were known, and how many more are known from now on."""
        ends = range(BLOCK_TOKENS, len(tokens) + 1, BLOCK_TOKENS)
        if len(ends) < LEAST_BLOCKS:
            return 0, 0
        known, before, is_new = 0, 0, False
        for end in ends:
            before = hash((before, *tokens[end - BLOCK_TOKENS : end]))
            is_new = is_new or before not in self._blocks
            known += 0 if is_new else BLOCK_TOKENS
            self._blocks[before] = None
            self._blocks.move_to_end(before)
        while len(self._blocks) > MOST_BLOCKS:
            self._blocks.popitem(last=False)
        return known, len(ends) * BLOCK_TOKENS - known
