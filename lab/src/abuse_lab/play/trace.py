"""Traces of LLM requests: ``TIMESTAMP,ContextTokens,GeneratedTokens``, plain or gzipped."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TextIO

HEADING = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
TOKENS_A_PRICE = 1_000_000


class TraceError(ValueError):
    """the trace can't be read"""


@dataclass(frozen=True, kw_only=True)
class TracedRequest:
    """One request of a trace."""

    at_ms: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million tokens cost, microdollars."""

    input_microdollars: int = 3_000_000
    output_microdollars: int = 15_000_000

    def cost_microdollars(self, request: TracedRequest) -> int:
        """What a request costs, rounded up to a whole microdollar."""
        total = request.input_tokens * self.input_microdollars + request.output_tokens * self.output_microdollars
        return -(-total // TOKENS_A_PRICE)


def read_trace(path: Path, limit: int | None = None) -> list[TracedRequest]:
    """The first requests of a trace, in its order. Raises `TraceError` naming the line."""
    with _open(path) as lines:
        return list(islice(_requests(path, lines), limit))


def _open(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _requests(path: Path, lines: TextIO) -> Iterator[TracedRequest]:
    rows = csv.reader(lines)
    heading = next(rows, [])
    if heading != HEADING:
        raise TraceError(f"{path} line 1: found {','.join(heading)}, expected {','.join(HEADING)}")
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            stamp, context, generated = row
            yield TracedRequest(at_ms=_epoch_ms(stamp), input_tokens=int(context), output_tokens=int(generated))
        except ValueError as error:
            raise TraceError(f"{path} line {number}: {error}") from None


def _epoch_ms(stamp: str) -> int:
    # Seven digits of a second are one more than Python reads.
    whole, _, fraction = stamp.partition(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * 1000 + int(fraction[:3].ljust(3, "0"))
