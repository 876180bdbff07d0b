"""Where an identity came from: addresses and clients with when and how often, the same in any order."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from abuse_client.contract import ClassifyPayload
from abuse_service.events.event import Event, Facts
from abuse_service.identities.networks import (
    MOST_ADDRESSES,
    MOST_CLIENTS,
    STRETCH_MS,
    Networks,
    note_network,
    sightings,
)
from abuse_service.testing import NOW_MS, World

MINUTE_MS = 60_000
WEEK_MS = STRETCH_MS
AT = NOW_MS - NOW_MS % MINUTE_MS

visits = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10_079), st.integers(0, 12)), max_size=60)


def noted(seen: list[tuple[int, int, int]]) -> Networks:
    """The networks of visits: week, minute, and number of the address."""
    networks = Networks()
    for week, minute, number in seen:
        at_ms = week * WEEK_MS + minute * MINUTE_MS
        said = ClassifyPayload(ip_address=f"192.0.2.{number}", user_agent=f"agent {number % 9}")
        note_network(networks, Event("request.classified", "cloud", at_ms, at_ms, b""), said)
    return networks


@given(visits, st.integers())
def test_any_order_keeps_the_same(seen: list[tuple[int, int, int]], seed: int) -> None:
    """Visits in any order leave the same, and no more than there is room for."""
    mixed = seen.copy()
    random.Random(seed).shuffle(mixed)
    networks = noted(mixed)
    assert networks == noted(seen)
    assert sum(map(len, networks.addresses.values())) <= 10 * MOST_ADDRESSES
    assert sum(map(len, networks.clients.values())) <= 10 * MOST_CLIENTS


@given(visits)
def test_newest_weeks_are_exact(seen: list[tuple[int, int, int]]) -> None:
    """Of the weeks that are kept first and last time and number are those of all visits in them."""
    kept = sorted({(week, f"192.0.2.{number}") for week, _, number in seen})[-MOST_ADDRESSES:]
    expected: dict[str, list[int]] = {}
    for week, minute, number in seen:
        if (week, f"192.0.2.{number}") in kept:
            expected.setdefault(f"192.0.2.{number}", []).append(week * WEEK_MS + minute * MINUTE_MS)
    found = {one.said[0]: (one.first_seen_ms, one.last_seen_ms, one.events) for one in sightings(noted(seen).addresses)}
    assert found == {address: (min(times), max(times), len(times)) for address, times in expected.items()}


def addresses(world: World) -> list[Any]:
    """The addresses of a record with their places, the newest first."""
    return [(*one.said, one.events) for one in sightings(world.record().networks.addresses)]


def test_requests_and_sign_ins_are_noted() -> None:
    """A sign-in and requests note the address with its place, and the client, the newest first."""
    world = World()
    world.sign_in(occurred_at=AT - WEEK_MS, ip_address="192.0.2.1", geo_country="AT", geo_city="Graz", ja4_digest="j")
    world.classify(at=AT, ip_address="192.0.2.2", user_agent="curl/8")
    world.classify(at=AT, ip_address="192.0.2.2", user_agent="curl/8")
    assert addresses(world) == [("192.0.2.2", "", "", 2), ("192.0.2.1", "AT", "Graz", 1)]
    clients = [(*one.said, one.last_seen_ms, one.events) for one in sightings(world.record().networks.clients)]
    assert clients == [("", "curl/8", AT, 2), ("j", "", AT - WEEK_MS, 1)]


def test_worked_out_place_stands_before_the_said() -> None:
    """What offline data said of an address stands before what the sender said of it."""
    networks = Networks()
    event = Event("request.classified", "cloud", AT, AT, b"", facts=Facts(country="DE"))
    note_network(networks, event, ClassifyPayload(ip_address="192.0.2.1", geo_country="AT"))
    assert [one.said for one in sightings(networks.addresses)] == [["192.0.2.1", "DE", ""]]


def test_nothing_said_is_nothing_noted() -> None:
    """A request that says neither address nor client leaves no trace of one."""
    world = World()
    world.classify()
    assert world.record().networks == Networks()


def test_long_client_is_cut() -> None:
    """An agent of any length takes no more room than there is for it, and is counted as one."""
    world = World()
    for _ in range(2):
        world.classify(user_agent="x" * 5000)
    [one] = sightings(world.record().networks.clients)
    assert (len(one.said[1]), one.events) == (254, 2)
