"""Where an identity was lately: bounded, equal in any order of arrival, readable by rules."""

import random
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from abuse_service.decisions.values import READERS, Situation
from abuse_service.enrichment.places import fastest_kmh
from abuse_service.events.event import Facts
from abuse_service.identities.places import (
    DAY_MS,
    KEPT_STRETCHES,
    MOST_STAYS,
    STRETCH_MS,
    Stay,
    count_countries,
    note_place,
    sightings,
)
from abuse_service.testing import HOSTING_NETWORK, NOW_MS, World, policy_of

HOUR_MS = 3_600_000
BERLIN = {"geo_country": "DE", "geo_latitude": 52.52, "geo_longitude": 13.41}
NEW_YORK = {"geo_country": "US", "geo_latitude": 40.71, "geo_longitude": -74.01}
TOKYO = {"geo_country": "JP", "geo_latitude": 35.68, "geo_longitude": 139.69}

events = st.lists(
    st.tuples(
        st.integers(NOW_MS - 2 * DAY_MS, NOW_MS),
        st.sampled_from(["DE", "US", "JP", ""]),
        st.sampled_from([(52.5, 13.4), (40.7, -74.0), (-33.9, 151.2), (-90.0, -180.0), (90.0, 180.0), (None, None)]),
    ),
    max_size=60,
)


def noted(seen: list[tuple[int, str, tuple[float | None, float | None]]]) -> list[Stay]:
    """What is kept of these sightings."""
    stays: list[Stay] = []
    for at_ms, country, (latitude, longitude) in seen:
        note_place(stays, at_ms, Facts(country=country, latitude=latitude, longitude=longitude))
    return stays


def read(world: World, name: str, at: int = NOW_MS) -> Any:
    """A fact of the identity as a rule would read it."""
    state = world.identity("user:u1")
    ended = world.projection.ended
    situation = Situation(b"", state, None, (), at, None, Facts(), is_trusted=False, ended=ended)  # type: ignore[arg-type]
    return READERS[name](situation)


@given(events, st.integers())
def test_any_order_keeps_the_same(seen: list[Any], seed: int) -> None:
    """Sightings in any order, or told twice, leave the same stays."""
    mixed = seen * 2
    random.Random(seed).shuffle(mixed)
    assert noted(mixed) == noted(seen)


@given(events)
def test_stays_are_few_and_new(seen: list[Any]) -> None:
    """No more are kept than the bound, and none from before the day behind the newest."""
    stays = noted(seen)
    assert len(stays) <= MOST_STAYS
    assert all(stay[0] > stays[-1][0] - KEPT_STRETCHES for stay in stays)


@given(events)
def test_kept_sightings_are_true(seen: list[Any]) -> None:
    """Whatever is read was really seen, so that the speed is never more than the sightings say."""
    stays = noted(seen)
    true = {(at_ms, *point) for at_ms, _, point in seen if point != (None, None) and at_ms > NOW_MS - DAY_MS}
    kept = set(sightings(stays, NOW_MS))
    assert kept <= true
    if len(seen) <= 2:
        assert fastest_kmh(kept) == fastest_kmh(true)


def test_places_of_a_day_are_kept() -> None:
    """Somebody at one place all day takes few stays, and is known to have been there for the whole day."""
    stays = noted([(NOW_MS + minute * 60_000, "DE", (52.5, 13.4)) for minute in range(3 * 24 * 60)])
    newest = NOW_MS + 3 * DAY_MS
    assert len(stays) == KEPT_STRETCHES
    assert stays[0][3] <= newest - DAY_MS
    assert stays[0][4] - stays[0][3] < STRETCH_MS


def test_later_places_do_not_count_yet() -> None:
    """As of an instant only what happened by then is read."""
    stays = noted([(NOW_MS, "DE", (52.5, 13.4)), (NOW_MS + HOUR_MS, "US", (40.7, -74.0))])
    assert (count_countries(stays, NOW_MS, HOUR_MS), len(set(sightings(stays, NOW_MS)))) == (1, 1)
    assert count_countries(stays, NOW_MS + HOUR_MS, HOUR_MS) == 1
    assert count_countries(stays, NOW_MS + HOUR_MS, 2 * HOUR_MS) == 2


def test_travel_is_read_from_requests() -> None:
    """Two places too far apart for the time between them show as speed and as countries."""
    world = World()
    world.classify(at=NOW_MS - 2 * HOUR_MS, ip_address="203.0.113.1", **BERLIN)
    world.classify(at=NOW_MS, ip_address="203.0.113.2", **NEW_YORK)
    assert 3000 < read(world, "identity.travel_kmh") < 3200
    assert (read(world, "identity.countries_1h"), read(world, "identity.countries_24h")) == (1, 2)
    assert read(world, "identity.travel_kmh", NOW_MS + 2 * DAY_MS) == 0


def test_order_of_arrival_makes_no_journey() -> None:
    """A request that is told late travels no faster than one told in time."""
    told = [(NOW_MS - 20 * HOUR_MS, BERLIN), (NOW_MS - 10 * HOUR_MS, TOKYO), (NOW_MS, BERLIN)]
    worlds = [World(), World()]
    for world, order in zip(worlds, (told, told[::-1]), strict=True):
        for at, place in order:
            world.classify(at=at, **place)
    speeds = [read(world, "identity.travel_kmh") for world in worlds]
    assert speeds[0] == speeds[1]
    assert 800 < speeds[0] < 1000


def test_hidden_places_say_nothing() -> None:
    """A hosting provider's network or an exit of Tor is no place where somebody is."""
    world = World()
    world.classify(at=NOW_MS - 1, **BERLIN)
    world.classify(at=NOW_MS, ip_address=HOSTING_NETWORK.replace("0/24", "9"), **NEW_YORK)
    world.classify(at=NOW_MS, geo_country="T1")
    assert (read(world, "identity.travel_kmh"), read(world, "identity.countries_1h")) == (0.0, 1)


def test_rules_read_what_enrichment_says() -> None:
    """A policy names countries, travel, networks, crawlers and mailboxes."""
    policy = policy_of("""
- id: impossible-travel
  title: Seen at two places at once
  signal: impossible_travel
  when: identity.travel_kmh > 1000.0 && identity.countries_1h >= 2 && request.country == 'US'
  reason: "{identity.travel_kmh} km/h"
  weight: 0.4
  cases:
    - {name: far, given: {identity.travel_kmh: 1001.0, identity.countries_1h: 2, request.country: US}, fires: true}
    - {name: near, given: {identity.travel_kmh: 900.0, identity.countries_1h: 2, request.country: US}, fires: false}
""")
    world = World(policy)
    world.classify(at=NOW_MS - 1000, **BERLIN)
    decision = world.classify(at=NOW_MS, **NEW_YORK)
    assert [rule.rule_id for rule in decision.rules] == ["impossible-travel"]


def test_mailbox_facts_of_an_identity() -> None:
    """What an e-mail once was stays said; whether it is a free one follows the newest address by its own time."""
    world = World()
    world.sign_up(at=NOW_MS, email="a.d.a+x@gmail.com")
    world.sign_in(at=NOW_MS + 2, email="ada@example.com")
    world.sign_in(at=NOW_MS + 1, email="ada@gmai1.com")
    world.classify(at=NOW_MS + 3)
    names = ("mailbox_is_tagged", "mailbox_dots", "has_lookalike_email", "is_free_email", "mailbox_digits")
    assert [read(world, f"identity.{name}") for name in names] == [True, 2, True, False, 0]


def test_features_read_facts_by_name() -> None:
    """A feature counts by what offline data said at the time; an empty fact counts as none."""
    policy = policy_of(
        features="""
countries_7d:
  entity: user
  events: [request.classified]
  aggregate: distinct
  where: facts.network_kind != 'hosting'
  value: facts.country
  window: 7d
north: {entity: user, events: [request.classified], aggregate: max, value: facts.latitude}
"""
    )
    world = World(policy)
    for at, place in enumerate((BERLIN, NEW_YORK, {}, {"geo_country": "FR"})):
        world.classify(at=NOW_MS + at, **place)
    world.classify(at=NOW_MS + 9, ip_address=HOSTING_NETWORK.replace("0/24", "9"), **TOKYO)
    assert world.feature("countries_7d", at=NOW_MS + 9) == 3
    assert world.feature("north", at=NOW_MS + 9) == 52.5


def test_policy_page_names_every_fact() -> None:
    """Each fact that intake stamps stands in the policy's reference with its meaning."""
    page = (Path(__file__).parents[2] / "docs/reference/policy.md").read_text("utf-8")
    section = page.partition("### What offline data say")[2].partition("###")[0]
    named = {
        name for cells in re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE) for name in cells.split(", ")
    }
    assert named == {f"`{name}`" for name in Facts.__struct_fields__}
