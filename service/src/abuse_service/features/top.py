"""The most frequent value among the newest events (ADR 0012)."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from abuse_service.features.rows import MOST_ROWS, TIME_BYTES, Rows

LONGEST_TEXT = 64
"""Characters of a value that are kept."""

_HASH_BYTES = 7

Texts = dict[str, list[Any]]
"""Each value's text and how many rows name it, by its hash (as Latin-1: keys of a state are text)."""


class Top:
    """The most frequent value of the newest `MOST_ROWS` events; of several the first in the alphabet."""

    def __init__(self, key: str, kept_ms: int | None, window_ms: int | None) -> None:
        self.key = key
        self._window_ms = window_ms
        self._rows = Rows(_HASH_BYTES, MOST_ROWS, kept_ms)

    def update(self, states: dict[str, Any], at_ms: int, value: str) -> None:
        text = value[:LONGEST_TEXT]
        name = hashlib.blake2b(text.encode(errors="replace"), digest_size=_HASH_BYTES).digest()
        row = at_ms.to_bytes(TIME_BYTES, "big") + name
        held = states.get(self.key)
        if held is None:
            states[self.key] = [row, {name.decode("latin-1"): [text, 1]}]
            return
        rows, expired, dropped = self._rows.add(held[0], at_ms, row)
        held[0] = rows
        texts: Texts = held[1]
        texts.setdefault(name.decode("latin-1"), [text, 0])[1] += 1
        for gone in _names(expired + dropped):
            texts[gone][1] -= 1
            if not texts[gone][1]:
                del texts[gone]

    def part(self, states: dict[str, Any], at_ms: int) -> Counter[str]:
        held = states.get(self.key)
        if held is None:
            return Counter()
        rows, texts = held
        since_ms = at_ms - self._window_ms if self._window_ms is not None else None
        inside = self._rows.inside(rows, since_ms, at_ms)
        if inside is rows:
            return Counter(dict(texts.values()))
        return Counter({texts[name][0]: number for name, number in Counter(_names(inside)).items()})

    def together(self, parts: Sequence[Counter[str]]) -> str | None:
        numbers = parts[0] if len(parts) == 1 else sum(parts, Counter[str]())
        return min(numbers, key=lambda text: (-numbers[text], text)) if numbers else None


def _names(rows: bytes) -> list[str]:
    size = TIME_BYTES + _HASH_BYTES
    return [rows[place + TIME_BYTES : place + size].decode("latin-1") for place in range(0, len(rows), size)]
