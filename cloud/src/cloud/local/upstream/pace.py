"""How fast the provider is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The time to the first token, the pause after each piece of a stream, and how many tokens a piece has."""

    first_token_seconds: float = 0.0
    piece_seconds: float = 0.0
    tokens_a_piece: int = 32
