"""Disputes and warnings: which of them are one, though they are named by different ids.

A dispute is told by its charge, by the payment's intent, or by an id of its own, and its second event need not name it
as the first did. Whatever names two of these ids teaches that they are one payment's. What was learned is looked at
when cases are read, so it does not matter which came first.
"""

import bisect
import hashlib
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from abuse_service.identities.merge import Layer, flatten

MOST_PAIRS = 64
"""Pairs of ids that a record keeps, those with the smallest hashes: of an account with more payments than that, a
dispute that is named in two ways may count twice."""

_HASH_BYTES = 6

Cases = dict[str, list[Layer]]
"""What was said of each case, by the name that was used."""


def learn_pairs(pairs: list[bytes], names: Iterable[str | None]) -> None:
    """Note that these ids name one payment."""
    hashes = sorted({_hash(name) for name in names if name})
    for pair in map(b"".join, combinations(hashes, 2)):
        place = bisect.bisect_left(pairs, pair)
        if pairs[place : place + 1] != [pair]:
            pairs.insert(place, pair)
            del pairs[MOST_PAIRS:]


def group_cases(cases: Cases, pairs: list[bytes]) -> dict[str, dict[str, Any]]:
    """The cases, each once, by the first of its names in the alphabet: all that was said of it, the newest first."""
    found: dict[bytes, list[str]] = {}
    parents = _join(pairs) if len(cases) > 1 else {}
    for name in sorted(cases):
        found.setdefault(_root(parents, _hash(name)), []).append(name)
    return {names[0]: flatten(_merged([cases[name] for name in names])) for names in found.values()}


def count_cases(cases: Cases, pairs: list[bytes]) -> int:
    """How many cases there are, each once."""
    return len(cases) if len(cases) < 2 else len(group_cases(cases, pairs))


def _merged(told: list[list[Layer]]) -> list[Layer]:
    return told[0] if len(told) == 1 else sorted((layer for layers in told for layer in layers), key=_stamp_of)


def _stamp_of(layer: Layer) -> Any:
    return layer[0]


def _join(pairs: list[bytes]) -> dict[bytes, bytes]:
    parents: dict[bytes, bytes] = {}
    for pair in pairs:
        one, other = _root(parents, pair[:_HASH_BYTES]), _root(parents, pair[_HASH_BYTES:])
        if one != other:
            parents[max(one, other)] = min(one, other)
    return parents


def _root(parents: dict[bytes, bytes], name: bytes) -> bytes:
    while name in parents:
        name = parents[name]
    return name


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(errors="replace"), digest_size=_HASH_BYTES).digest()
