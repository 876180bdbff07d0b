"""The log in the order in which the service knew it, which is not quite the order of its positions.

A request is answered before its record has a position: what was committed meanwhile stands before it in the log, and
was not known to it. Each decision says which position it had seen; there it is told.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from abuse_service.events.event import OWN_SOURCE, RULE_GUARDED, Event, Stored


class Log(Protocol):
    """What a replay needs of the log."""

    def read(self, after: int, limit: int = 0) -> Iterator[Stored]:
        """Events behind position ``after`` in order, all or ``limit``."""
        ...


class _Seen(msgspec.Struct):
    """Of a decision, the newest position of the log that it had seen."""

    position: int


_seen = msgspec.json.Decoder(_Seen).decode


def holds_decision(event: Event) -> bool:
    """Whether an event is the record of a decision."""
    return event.request_id is not None and event.outcome is not None


def tell(log: Log) -> Iterator[Stored]:
    """Every event when it was known: none that arrived after a decision comes before it.

    Two readers go through the log, one of them ahead of the other by what was on its way to the disk at any time.
    """
    decided = _decisions(log)
    ahead = next(decided, None)
    for stored in log.read(0):
        if _goes_along(stored.event):
            continue
        while ahead is not None and ahead[0] < stored.position:
            yield ahead[1]
            ahead = next(decided, None)
        yield stored
    while ahead is not None:
        yield ahead[1]
        ahead = next(decided, None)


def _decisions(log: Log) -> Iterator[tuple[int, Stored]]:
    """The records of decisions, in the order of their request ids, with the position that each had seen.

    That a rule is guarded stands before the record of the decision that tripped the guard, and held from the next one.
    """
    guarded: list[Stored] = []
    position = 0
    for stored in log.read(0):
        event = stored.event
        if holds_decision(event):
            position = _seen(event.outcome or b"").position
            yield position, stored
        elif _goes_along(event):
            guarded.append(stored)
            continue
        else:
            continue
        yield from ((position, one) for one in guarded)
        guarded = []
    yield from ((position, one) for one in guarded)


def _goes_along(event: Event) -> bool:
    return holds_decision(event) or (event.type == RULE_GUARDED and event.source == OWN_SOURCE)
