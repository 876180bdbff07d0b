"""Whose a Stripe event is, though it names no user: joined by any id that was learned, before or after."""

import itertools
from typing import Any

import pytest

from abuse_service.events.entity import EntityKind
from abuse_service.identities.joins import MOST_OWNERS, Joins
from abuse_service.identities.state import EntityState
from abuse_service.testing import NOW_MS, MemoryColdStates, World, event, policy_of, stripe_event

WARNING = "stripe.radar.early_fraud_warning.created"
DISPUTE = "stripe.charge.dispute.created"
FAILED = "stripe.charge.failed"
PAID = "stripe.payment_intent.succeeded"
CHARGE, OTHER_CHARGE = (b"h" + bytes([number]) * 16 for number in (1, 2))
ATTACHED, DETACHED = "stripe.payment_method.attached", "stripe.payment_method.detached"


def in_each_order(*events: dict[str, Any]) -> list[World]:
    """A world for each order in which the events may arrive."""
    worlds = []
    for order in itertools.permutations(events):
        world = World()
        for one in order:
            world.send(one)
        worlds.append(world)
    return worlds


def waiting(world: World) -> int:
    """How many events wait for their owner."""
    return len(world.states.joins.waiting)


def owned(world: World, user: str = "u1") -> dict[str, int]:
    """How many events of each type a user's record took."""
    return world.record(user).event_counts


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("customer", "cus_1"),
        ("customer", {"id": "cus_1", "object": "customer"}),
        ("charge", "ch_1"),
        ("charge", {"id": "ch_1"}),
        ("payment_intent", "pi_1"),
        ("payment_method", "pm_1"),
        ("invoice", "in_1"),
        ("subscription", "sub_1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "flat"])
def test_event_joins_by_each_id(kind: str, value: object, is_whole: bool) -> None:
    """A warning that names only one id is its user's as soon as that id is known, in either layout and order."""
    bare = value["id"] if isinstance(value, dict) else value
    named = event(FAILED, kilo_user_id="u1", **{kind: bare})
    warning = stripe_event(WARNING, {kind: value}) if is_whole else event(WARNING, **{kind: value})
    for world in in_each_order(named, warning):
        assert owned(world) == {FAILED: 1, WARNING: 1}
        assert waiting(world) == 0


@pytest.mark.parametrize(
    ("said", "joins"),
    [
        ({"customer": "cus_1"}, ["customer:cus_1"]),
        ({"customer": {"id": "cus_1"}}, ["customer:cus_1"]),
        ({"customer": None}, []),
        ({"customer": ""}, []),
        ({"customer": 5}, []),
        ({"customer": {"id": None}}, []),
        ({"customer": "c" * 256}, []),
        ({"data": {"object": {"customer": "cus_1"}}}, ["customer:cus_1"]),
        ({"data": {"object": {"customer": {"id": "cus_1"}}}}, ["customer:cus_1"]),
        ({"customer": "cus_1", "data": {"object": {"customer": None}}}, ["customer:cus_1"]),
        ({"customer": "cus_1", "data": None}, ["customer:cus_1"]),
        ({"customer": "cus_1", "data": "nonsense"}, ["customer:cus_1"]),
        (
            {"data": {"object": {"id": "pm_1", "customer": None}, "previous_attributes": {"customer": "cus_1"}}},
            ["payment_method:pm_1", "customer:cus_1"],
        ),
        (
            {"id": "pm_1", "customer": None, "previous_attributes": {"customer": "cus_1"}},
            ["payment_method:pm_1", "customer:cus_1"],
        ),
        ({"id": "evt_1", "charge": "ch_1"}, ["charge:ch_1"]),
        ({"id": "ch_1"}, ["charge:ch_1"]),
        ({"id": "py_1"}, ["charge:py_1"]),
        ({"id": "card_1"}, ["payment_method:card_1"]),
        ({"data": {"object": {"id": "x1", "object": "charge"}}}, ["charge:x1"]),
        ({"data": {"object": {"id": "dp_1", "object": "dispute", "charge": "ch_1"}}}, ["charge:ch_1"]),
        ({"latest_charge": "ch_1"}, ["charge:ch_1"]),
        ({"source": {"id": "card_1"}}, ["payment_method:card_1"]),
        ({}, []),
    ],
)  # fmt: skip
def test_ids_are_found_in_each_layout(said: dict[str, Any], joins: list[str]) -> None:
    """Ids are found wherever the two layouts keep them, as text or as an object, and nothing else passes for one."""
    world = World()
    found = world.read_batch(event(DETACHED, **said)).events[0].joins
    assert list(found) == list(world.namer.joins(joins))


def test_link_is_learned_over_several_hops() -> None:
    """A dispute that names a charge, the charge's intent, the intent's customer: all are joined, in every order."""
    for world in in_each_order(
        event(DISPUTE, charge="ch_1"),
        event(FAILED, id="ch_1", payment_intent="pi_1"),
        event(PAID, id="pi_1", customer="cus_1"),
        event(ATTACHED, id="pm_1", customer="cus_1", kilo_user_id="u1"),
    ):
        assert owned(world) == {DISPUTE: 1, FAILED: 1, PAID: 1, ATTACHED: 1}
        assert waiting(world) == 0


def test_sign_in_teaches_the_customer() -> None:
    """A sign-in that names the user's Stripe customer makes what waited under it his."""
    world = World()
    world.send(event(DISPUTE, customer="cus_1"))
    world.sign_in(stripe_customer_id="cus_1")
    assert owned(world) == {"auth.signin": 1, DISPUTE: 1}


def test_waiting_event_counts_at_its_time() -> None:
    """An event that waited counts at the time when it happened, not when its owner was learned."""
    world = World()
    hour_ms = 3_600_000
    for hours in (25, 23, 22):
        world.send(event(FAILED, NOW_MS - hours * hour_ms, customer="cus_1"))
    world.send(event(ATTACHED, NOW_MS, customer="cus_1", kilo_user_id="u1"))
    assert world.feature("declined_charges_24h") == 2
    assert world.identity("user:u1").first_seen_ms == NOW_MS - 25 * hour_ms


def test_waiting_event_counts_once() -> None:
    """An event that waited under several ids counts once, whichever of them is learned."""
    ids = {"charge": "ch_1", "payment_intent": "pi_1", "customer": "cus_1"}
    for kind, value in ids.items():
        world = World()
        world.send(event(WARNING, **ids))
        assert waiting(world) == 1
        world.send(event(FAILED, kilo_user_id="u1", **{kind: value}))
        world.send(event(FAILED, kilo_user_id="u1", **ids))
        assert owned(world)[WARNING] == 1
        assert waiting(world) == 0


def test_waiting_events_share_their_ids() -> None:
    """Several events that wait under the same ids count once each, though each of them teaches the others' ids."""
    world = World()
    for _ in range(3):
        world.send(event(FAILED, customer="cus_1", payment_intent="pi_1", charge="ch_1"))
    world.sign_in(stripe_customer_id="cus_1")
    assert owned(world)[FAILED] == 3
    assert waiting(world) == 0


def test_event_without_ids_is_nobodys() -> None:
    """An event that names no user and no id is kept and changes no record."""
    world = World()
    world.send(event(DISPUTE))
    assert (len(world.log.events), world.states.all()) == (1, {})


def test_user_in_the_data_counts() -> None:
    """The user that the cloud adds to Stripe data owns the event, whoever owns the ids, unless he is anonymous."""
    world = World()
    world.send(event(FAILED, customer="cus_1", kilo_user_id="u1"))
    world.send(event(FAILED, customer="cus_1", kilo_user_id="u2"))
    world.send(event(FAILED, customer="cus_1", kilo_user_id="anon:1"))
    world.send(event(FAILED, customer="cus_1", kilo_user_id=5))
    assert (owned(world)[FAILED], owned(world, "u2")[FAILED]) == (3, 3)


def test_card_links_and_never_owns() -> None:
    """A card fingerprint makes two users neighbours; an event that bears only the card is neither's."""
    world = World()
    card = {"fingerprint": "card-1"}
    for user in ("u1", "u2"):
        world.send(stripe_event(ATTACHED, {"id": f"pm_{user}", "card": card}, kilo_user_id=user))
    world.send(stripe_event(FAILED, {"payment_method_details": {"card": card}}))
    cards = [state for key, state in world.states.all().items() if key[:1] == b"c"]
    assert [len(state.members) for state in cards if isinstance(state, EntityState)] == [2]
    assert (owned(world), owned(world, "u2")) == ({ATTACHED: 1}, {ATTACHED: 1})


@pytest.mark.parametrize(
    "holder",
    [
        {"card": {"fingerprint": "f"}},
        {"payment_method_details": {"card": {"fingerprint": "f"}}},
        {"charges": {"data": [{}, {"payment_method_details": {"card": {"fingerprint": "f"}}}]}},
    ],
    ids=lambda holder: next(iter(holder)),
)
def test_card_is_found_in_each_object(holder: dict[str, Any]) -> None:
    """The fingerprint is found in a payment method, a charge and an older payment intent, alike."""
    batch = World().read_batch(stripe_event(PAID, holder), event(PAID, **holder))
    assert [content.card for content in batch.contents] == ["f", "f"]  # type: ignore[union-attr]


def test_method_comes_and_goes() -> None:
    """A method is attached until it is detached, by event time; brand and country stay known."""
    for world in in_each_order(
        stripe_event(ATTACHED, {"id": "pm_1", "customer": "cus_1", "card": {"brand": "visa", "country": "AT"}},
                     NOW_MS - 2, kilo_user_id="u1"),
        stripe_event(DETACHED, {"id": "pm_1", "customer": None}, NOW_MS - 1,
                     previous_attributes={"customer": "cus_1"}),
    ):  # fmt: skip
        [layers] = world.record().stripe.methods.values()
        said = {name: value for _, fields in layers for name, value in fields.items()}
        assert said == {"brand": "visa", "country": "AT", "is_attached": False}
        assert world.record().stripe.customers == ["cus_1"]


def test_dispute_is_one_case() -> None:
    """A dispute and the withdrawal of its funds are one case, known by its charge."""
    for world in in_each_order(
        event(DISPUTE, NOW_MS - 2, charge="ch_1", reason="fraudulent", kilo_user_id="u1"),
        event("stripe.charge.dispute.funds_withdrawn", NOW_MS - 1, charge="ch_1", status="lost"),
    ):
        [layers] = world.record().stripe.disputes.values()
        said = {name: value for _, fields in layers for name, value in fields.items()}
        assert said == {"charge": "ch_1", "reason": "fraudulent", "status": "lost", "funds_withdrawn": True}


def test_payments_add_up_by_currency() -> None:
    """Payments are counted, and their amounts are added by currency in its minor unit."""
    world = World()
    for amount, currency in ((500, "usd"), (700, "eur"), (100, "usd"), (None, "usd")):
        world.send(stripe_event(PAID, {"amount_received": amount, "currency": currency}, kilo_user_id="u1"))
    assert (world.record().stripe.payments, world.record().stripe.paid_amounts) == (4, {"usd": 600, "eur": 700})


@pytest.mark.parametrize("count", [60, 200])
def test_cases_are_bounded(count: int) -> None:
    """A record keeps fifty customers, methods and disputes, the same ones in every order."""
    records = []
    for numbers in (range(count), range(count)[::-1]):
        world = World()
        for number in numbers:
            said = {"customer": f"cus_{number:03}", "kilo_user_id": "u1"}
            world.send(event(DISPUTE, NOW_MS, charge=f"ch_{number:03}", **said))
            world.send(event(ATTACHED, NOW_MS, id=f"pm_{number:03}", **said))
        records.append(world.record())
    stripe = records[0].stripe
    assert (len(stripe.customers), len(stripe.methods), len(stripe.disputes)) == (50, 50, 50)
    assert records[0] == records[1]


def test_join_is_known_after_a_restart() -> None:
    """Whose an id is stands in the image of the states, and is known after it was read back."""
    world = World()
    world.send(event(FAILED, charge="ch_1", kilo_user_id="u1"))
    world.states.begin_cut(1, ())
    cut = world.states.pack_some(100)
    assert cut is not None
    again = World()
    again.cold.keep(cut)
    again.send(event(DISPUTE, charge="ch_1"))
    assert (owned(again), waiting(again)) == ({FAILED: 1, DISPUTE: 1}, 0)


def test_claims_stay_where_they_are_kept() -> None:
    """Everybody who claims an id is known, and since when, whether that is in memory, in an image, or on disk."""
    cold = MemoryColdStates()
    joins = Joins(cold)
    first, second = (b"u" + bytes([number]) * 16 for number in (1, 2))
    joins.claim([CHARGE], first, 1)
    joins.claim([CHARGE], first, 2)
    assert joins.owners([CHARGE]) == [first]
    joins.begin_cut()
    joins.claim([CHARGE], second, 3)
    joins.claim([CHARGE], first, 4)
    assert (joins.owners([CHARGE]), joins.owners_by([CHARGE], 2)) == ([first, second], [first])
    cold.learned = joins._old
    joins.finish_cut()
    joins.claim([CHARGE], first, 5)
    assert (joins.owners([CHARGE]), joins.owners_by([CHARGE], 2)) == ([first, second], [first])


def test_abandoned_cut_keeps_its_claims() -> None:
    """Claims of an image that did not get to disk go along with the next, and of each the first stays."""
    joins = Joins(MemoryColdStates())
    first, second = (b"u" + bytes([number]) * 16 for number in (1, 2))
    joins.claim([CHARGE], first, 1)
    joins.begin_cut()
    joins.claim([CHARGE, OTHER_CHARGE], second, 2)
    joins.claim([CHARGE], first, 3)
    joins.abandon_cut()
    assert joins.begin_cut().claims == {CHARGE: {first: 1, second: 2}, OTHER_CHARGE: {second: 2}}


def test_too_many_waiting_events_are_given_up() -> None:
    """What waits for an owner stays within its bound, the oldest goes first; what is left is joined."""
    joins = Joins(MemoryColdStates(), most_waiting=3)
    read = World().read_batch(*[event(DISPUTE, charge=f"ch_{number}") for number in range(5)])
    for position, one in enumerate(read.events, start=1):
        joins.add_unnamed(position, one, is_waiting=True)
    assert [waits.position for waits in joins.waiting] == [3, 4, 5]


def test_two_claim_one_customer() -> None:
    """Where two users claim a customer, an event that names only it counts for both, in every order of arrival."""
    said = [
        event(FAILED, kilo_user_id="u1", customer="cus_1", charge="ch_1"),
        event(FAILED, kilo_user_id="u2", customer="cus_1", charge="ch_2"),
        event(PAID, customer="cus_1", payment_intent="pi_1"),
        event(DISPUTE, payment_intent="pi_1"),
        event(WARNING, charge="ch_2"),
    ]
    for world in in_each_order(*said):
        assert owned(world, "u1") == {FAILED: 1, PAID: 1, DISPUTE: 1}
        assert owned(world, "u2") == {FAILED: 1, PAID: 1, DISPUTE: 1, WARNING: 1}
        assert waiting(world) == 0


def test_event_of_two_counts_once_for_what_they_share() -> None:
    """A feature of a card takes an event that counts for two users once, one that counts users takes both."""
    features = (
        "paid: {entity: card, events: [stripe.payment_intent.succeeded], aggregate: count}\n"
        "payers: {entity: card, events: [stripe.payment_intent.succeeded], aggregate: distinct, value: identity}"
    )
    policy = policy_of(features=features)
    card = {"card": {"fingerprint": "card-1"}}
    said = [
        event(FAILED, kilo_user_id="u1", customer="cus_1"),
        event(FAILED, kilo_user_id="u2", customer="cus_1"),
        event(PAID, customer="cus_1", **card),
    ]
    for order in itertools.permutations(said):
        world = World(policy)
        for one in order:
            world.send(one)
        state = world.projection.entity(world.namer.key(EntityKind.CARD, "card-1"))
        assert state is not None
        read = [policy.catalog.features[name].read(state.features, NOW_MS) for name in ("paid", "payers")]
        assert read == [1, 2]


def test_organizations_customer_is_nobodys() -> None:
    """A customer of an organization is the organization's: what names only it counts for no member."""
    features = "failed: {entity: organization, events: [stripe.charge.failed], aggregate: count}"
    policy = policy_of(features=features)
    said = [
        event(FAILED, kilo_user_id="u1", organization_id="o1", customer="cus_1", charge="ch_1"),
        event(FAILED, customer="cus_1", charge="ch_2"),
        event(DISPUTE, charge="ch_1"),
    ]
    for order in itertools.permutations(said):
        world = World(policy)
        for one in order:
            world.send(one)
        assert owned(world, "u1") == {FAILED: 1, DISPUTE: 1}
        assert waiting(world) == 0
        state = world.projection.entity(world.namer.key(EntityKind.ORGANIZATION, "o1"))
        assert state is not None
        assert policy.catalog.features["failed"].read(state.features, NOW_MS) == 2


def test_id_that_everybody_claims_is_no_ones() -> None:
    """Of an id that is claimed by more users than it can have owners, whoever comes later gets no events."""
    world = World()
    for number in range(MOST_OWNERS + 3):
        world.send(event(FAILED, kilo_user_id=f"u{number}", customer="cus_test"))
    world.send(event(WARNING, customer="cus_test"))
    assert len(world.states.joins.owners(world.namer.joins(["customer:cus_test"]))) == MOST_OWNERS
    assert owned(world, "u0") == {FAILED: 1, WARNING: 1}
    assert owned(world, f"u{MOST_OWNERS + 1}") == {FAILED: 1}
