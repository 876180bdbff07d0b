"""Instants as people and programs read them."""

from datetime import UTC, datetime


def iso(at_ms: int) -> str:
    """An instant for people: ISO 8601, UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(at_ms: int | None) -> str | None:
    """The same of an instant that may not be known."""
    return None if at_ms is None else iso(at_ms)
