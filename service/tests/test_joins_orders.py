"""Stripe's own webhook events in every order of arrival, each time another of them the only one that names its user."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from abuse_service.features.catalog import Catalog
from abuse_service.features.projection import Projection
from abuse_service.identities.states import States
from abuse_service.testing import TOKENS, MemoryColdStates, World, event

USER = "u1"
FAILED, PAID = "stripe.charge.failed", "stripe.payment_intent.succeeded"
ATTACHED, DETACHED = "stripe.payment_method.attached", "stripe.payment_method.detached"
DISPUTE, WITHDRAWN = "stripe.charge.dispute.created", "stripe.charge.dispute.funds_withdrawn"
WARNING = "stripe.radar.early_fraud_warning.created"

OWN = [
    event(FAILED, id="ch_1", object="charge", customer={"id": "cus_1"}, payment_method="pm_1"),
    event(PAID, id="pi_1", object="payment_intent", customer="cus_1", latest_charge="ch_2", payment_method="pm_1"),
    event(ATTACHED, id="pm_1", object="payment_method", customer="cus_1"),
    event(DETACHED, id="pm_1", object="payment_method", customer=None, previous_attributes={"customer": "cus_1"}),
    event(DISPUTE, id="dp_1", object="dispute", charge="ch_2", payment_intent="pi_1"),
    event(WITHDRAWN, id="dp_1", object="dispute", charge="ch_2", payment_intent="pi_1"),
    event(WARNING, id="issfr_1", object="radar.early_fraud_warning", charge="ch_1", payment_intent=None),
]
"""One customer's events as clouds send them: of all seven types, no two of which need share an id."""


def parts(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The events in groups of those that share an id, at whatever remove."""
    world = World()
    groups: list[tuple[set[bytes], list[dict[str, Any]]]] = []
    for one in events:
        ids = set(world.read_batch(one).events[0].joins)
        touching = [group for group in groups if group[0] & ids]
        groups = [group for group in groups if not group[0] & ids]
        merged = ids.union(*(group[0] for group in touching))
        groups.append((merged, [*itertools.chain.from_iterable(group[1] for group in touching), one]))
    return [group for _, group in groups]


def counted(events: list[dict[str, Any]], naming: int) -> set[tuple[int, int]]:
    """What every order comes to: how many events the user's record took, and how many wait."""
    world = World()
    named = [
        one | {"data": one["data"] | {"kilo_user_id": USER}} if n == naming else one for n, one in enumerate(events)
    ]
    batch = world.read_batch(*named)
    assert not batch.rejected
    entity = world.namer.identity(f"user:{USER}")
    outcomes = set()
    for order in itertools.permutations(range(len(events))):
        cold = MemoryColdStates()
        arrived = [batch.events[place] for place in order]
        cold.read_log = lambda arrived=arrived: arrived
        projection = Projection(States(cold, 10**6), Catalog({}), TOKENS)
        for position, place in enumerate(order, 1):
            projection.apply(position, batch.events[place], batch.contents[place])
        state = projection.identity(entity)
        took = sum(state.record.event_counts.values()) if state else 0
        outcomes.add((took, projection.states.joins.waiting_count))
    return outcomes


@pytest.mark.parametrize("naming", range(len(OWN)))
def test_own_events_join_in_every_order(naming: int) -> None:
    """Whichever of seven events names the user, and in whichever of 5,040 orders they come, all are his."""
    assert counted(OWN, naming) == {(len(OWN), 0)}


@pytest.mark.parametrize("folder", ["composed", "stripe-ruby-mock"])
def test_stripes_events_join_in_every_order(stripe_fixtures: Path, folder: str) -> None:
    """Stripe's events join to their user in every order, whichever of those that share an id names him."""
    webhooks = [json.loads(path.read_bytes()) for path in sorted((stripe_fixtures / folder).glob("*.json"))]
    sent = [event(f"stripe.{one['type']}", one["created"] * 1000, **one) for one in webhooks]
    for part in parts(sent):
        for naming in range(len(part)):
            assert counted(part, naming) == {(len(part), 0)}, part[naming]["type"]
