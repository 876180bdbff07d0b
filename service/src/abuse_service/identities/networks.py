"""Where an identity came from: addresses with places, TLS fingerprints with agents, when and how often.

Of each value first and last time and number are kept by stretches of a week. The newest stretches stay, so that what is
kept does not depend on the order of arrival: a stretch that is given up is older than all that are kept, and stays so.
"""

import struct
from collections.abc import Iterator
from operator import itemgetter

import msgspec

from abuse_client.contract import AuthEventPayload, ClassifyPayload
from abuse_service.events.event import Event

STRETCH_MS = 7 * 86_400_000
MINUTE_MS = 60_000
MOST_ADDRESSES = 16
"""Stretches of all addresses together; of one week with more addresses those that come last as texts."""
MOST_CLIENTS = 8
"""The same of clients."""

_STRETCH_MINUTES = STRETCH_MS // MINUTE_MS
_LONGEST_TEXT = 255
_APART = "\x1f"

_STRETCH = struct.Struct(">HHHI")
"""Number of the week since 1970, first and last time in it (minutes from its begin), number of events."""
_SIZE = _STRETCH.size
_unpack = _STRETCH.unpack_from
_pack_tail = struct.Struct(">HI").pack_into
_FIRST_WEEK = itemgetter(slice(2))
_MOST_EVENTS = 2**32 - 1
_LAST_WEEK = 2**16 - 1

Seen = dict[str, bytearray]
"""Of each value its stretches, packed, oldest first."""


class Networks(msgspec.Struct, array_like=True):
    """What requests and sign-ins came from.

    An address stands with the country and city that were said of it, a client is a TLS fingerprint with an agent.
    """

    addresses: Seen = {}
    clients: Seen = {}


class Sighting(msgspec.Struct, frozen=True):
    """One value over all stretches that are kept of it; times to the minute. ``said`` are the value's parts."""

    said: list[str]
    first_seen_ms: int
    last_seen_ms: int
    events: int


def note_network(networks: Networks, event: Event, content: ClassifyPayload | AuthEventPayload) -> None:
    """Note where one event came from. Of the place what was worked out stands before what was said."""
    week, minute = divmod(event.occurred_at_ms // MINUTE_MS, _STRETCH_MINUTES)
    address, ja4_digest, agent = content.ip_address, content.ja4_digest, content.user_agent
    if address:
        facts = event.facts
        country = (facts.country if facts is not None else "") or content.geo_country or ""
        placed = f"{address}{_APART}{country}{_APART}{content.geo_city or ''}"
        _note(networks.addresses, placed, week, minute, MOST_ADDRESSES)
    if ja4_digest or agent:
        _note(networks.clients, f"{ja4_digest or ''}{_APART}{agent or ''}", week, minute, MOST_CLIENTS)


def sightings(seen: Seen) -> Iterator[Sighting]:
    """Each value with its times, the newest first."""
    found = []
    for value, packed in seen.items():
        stretches = list(_STRETCH.iter_unpack(packed))
        (week, first, *_), (last_week, _, last, _) = stretches[0], stretches[-1]
        found.append(
            Sighting(
                value.split(_APART),
                week * STRETCH_MS + first * MINUTE_MS,
                last_week * STRETCH_MS + last * MINUTE_MS,
                sum(events for *_, events in stretches),
            )
        )
    yield from sorted(found, key=lambda one: (one.last_seen_ms, one.said), reverse=True)


def _note(seen: Seen, value: str, week: int, minute: int, most: int) -> None:
    packed = seen.get(value)
    if packed is not None:
        place = len(packed) - _SIZE
        known, _, last, events = _unpack(packed, place)
        if known == week and minute >= last and events < _MOST_EVENTS:
            # As nearly always.
            _pack_tail(packed, place + 4, minute, events + 1)
            return
    _note_other(seen, value[:_LONGEST_TEXT], min(week, _LAST_WEEK), minute, most)


def _note_other(seen: Seen, value: str, week: int, minute: int, most: int) -> None:
    """Note what is new, begins a stretch, or came out of order."""
    packed = seen.get(value)
    if packed is None:
        seen[value] = bytearray(_STRETCH.pack(week, minute, minute, 1))
    else:
        _note_late(packed, week, minute)
    if len(seen) > 1 and sum(map(len, seen.values())) > most * _SIZE:
        _, oldest = min(zip(map(_FIRST_WEEK, seen.values()), seen, strict=True))
        del seen[oldest][:_SIZE]
        if not seen[oldest]:
            del seen[oldest]


def _note_late(packed: bytearray, week: int, minute: int) -> None:
    """Note what begins a stretch, or came out of order."""
    place = len(packed) - _SIZE
    while place >= 0:
        known, first, last, events = _STRETCH.unpack_from(packed, place)
        if known == week:
            row = _STRETCH.pack(week, min(first, minute), max(last, minute), min(events + 1, _MOST_EVENTS))
            packed[place : place + _SIZE] = row
            return
        if known < week:
            break
        place -= _SIZE
    packed[place + _SIZE : place + _SIZE] = _STRETCH.pack(week, minute, minute, 1)
