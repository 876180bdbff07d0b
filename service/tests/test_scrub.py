"""An event without the person in it: nothing personal stays, and everything is told from it as before."""

import json
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import EVENT_CLASSES, AuthEventPayload, ClassifyPayload, CostPayload, OrgMembership
from abuse_service.errors import PolicyError
from abuse_service.events.content import EVENT_FIELDS, content_of
from abuse_service.events.event import OWN_TYPES, Event
from abuse_service.events.personal import AUTH, BATCH, BODIES, CLASSIFY, COST, STRIPE, Kept, fields_of
from abuse_service.events.scrub import ERASED, Scrubber, entity_of_erased, is_erased_name
from abuse_service.events.stripe import StripeSlice, read_stripe
from abuse_service.identities.effacing import efface
from abuse_service.identities.forgetting import STAYS
from abuse_service.testing import NOW_MS, TOKENS, World, event, policy_of

SCRUBBER = Scrubber(TOKENS)
WIRE: dict[str, tuple[Any, type[Any]]] = {
    "classify": (CLASSIFY, ClassifyPayload),
    "cost": (COST, CostPayload),
    "auth": (AUTH, AuthEventPayload),
    "membership": (AUTH["org_memberships"], OrgMembership),
    **{name: (BATCH[name], get_type_hints(kind)["data"]) for name, kind in EVENT_CLASSES.items() if name in BATCH},
}


# the tables


@pytest.mark.parametrize("name", WIRE)
def test_every_wire_field_has_an_answer(name: str) -> None:
    """Of each field of the contract it is said whether it outlives an erasure, and of no other field."""
    shape, kind = WIRE[name]
    fields = set(kind.__struct_fields__) - {"extra"}
    assert fields <= shape.keys()
    if not name.startswith("stripe."):
        assert shape.keys() == fields


def test_every_type_has_an_answer() -> None:
    """The 17 types all stand in the table, and what a feature may read of any type has its answer."""
    assert BATCH.keys() == EVENT_CLASSES.keys()
    assert set(StripeSlice.__struct_fields__) <= STRIPE.keys()
    for event_type, fields in EVENT_FIELDS.items():
        shape = fields_of(event_type)
        assert shape is not None
        assert fields - {"extra"} <= shape.keys(), event_type


def test_what_a_record_keeps_of_the_deleted_is_plain() -> None:
    """What the record of a deleted account keeps of a profile is what an erasure leaves as it is."""
    assert {name for name in STAYS if AUTH[name] is not Kept.PLAIN} == set()


# what goes

PERSONAL = "Very.Personal+1@Example.com"


def told(world: World) -> list[Event]:
    """One event of each kind, each text in it the same personal one where the contract takes any text."""
    said: dict[str, Any] = {name: PERSONAL for name, rule in AUTH.items() if rule in (Kept.TOKEN, Kept.MAIL, Kept.GONE)}
    said |= {"org_memberships": [{"organization_id": PERSONAL, "role": "member"}], "event_id": "e1"}
    world.sign_up(PERSONAL, **{name: value for name, value in said.items() if name != "kilo_user_id"})
    asked = {name: PERSONAL for name, rule in CLASSIFY.items() if rule in (Kept.TOKEN, Kept.GONE)}
    asked |= {"geo_latitude": 52.123456, "geo_longitude": 13.123456}
    world.classify(
        PERSONAL, **{name: value for name, value in asked.items() if name not in ("kilo_user_id", "event_id")}
    )
    world.report_cost(PERSONAL, message_id=PERSONAL, ip_address=PERSONAL, user_agent=PERSONAL)
    batch = [
        event(name, NOW_MS, **{field: PERSONAL for field, rule in shape.items() if rule is not Kept.PLAIN})
        | {"event_id": f"{PERSONAL[:9]}{number}"}
        for number, (name, shape) in enumerate(BATCH.items())
        if not name.startswith("stripe.")
    ]
    for one in batch:
        if one["type"].startswith("billing.credit"):
            one["data"]["microdollars_acquired"] = 5
    card = {"fingerprint": PERSONAL, "last4": "4242", "brand": "visa", "holder": PERSONAL}
    stripe = {"id": f"ch_{PERSONAL}", "customer": {"id": PERSONAL, "email": PERSONAL}, "card": card, "amount": 5}
    stripe |= {"billing_details": {"name": PERSONAL}, "receipt_email": PERSONAL, "payment_intent": PERSONAL}
    for name in BATCH:
        if name.startswith("stripe."):
            batch.append(event(name, NOW_MS, id="evt_1", kilo_user_id=PERSONAL, data={"object": stripe}))
            batch.append(event(name, NOW_MS, kilo_user_id=PERSONAL, **stripe))
    batch.append(event(PERSONAL.replace("@", "."), NOW_MS, kilo_user_id=PERSONAL, note=PERSONAL))
    appended = world.send(*batch)
    assert appended.duplicates == 0
    assert not world.log.rejected
    return world.log.events


def test_nothing_personal_stays() -> None:
    """Of events of all types that say one personal text wherever they can, none says it after."""
    events = told(World())
    assert {one.type for one in events} >= EVENT_CLASSES.keys() | {"auth.signup", "request.classified"}
    for one in events:
        scrubbed = SCRUBBER.scrub(one)
        packed = msgspec.msgpack.encode(msgspec.structs.replace(scrubbed, type=""))
        for part in (b"Personal", b"Example.com", b"52.1", b"13.1", b"4242"):
            assert part not in packed, (one.type, scrubbed.body)


def test_event_stays_where_it_is() -> None:
    """Times, keys, entities, joins and facts stay, and what is typed is read as before."""
    for one in told(World()):
        scrubbed = SCRUBBER.scrub(one)
        same = ("type", "source", "occurred_at_ms", "received_at_ms", "event_key", "content_key", "identity_entity")
        for name in (*same, "entities", "joins", "facts", "request_id", "tie_breaker"):
            assert getattr(scrubbed, name) == getattr(one, name), (one.type, name)
        assert (content_of(scrubbed) is None) == (content_of(one) is None)
        assert scrubbed.identity is None or is_erased_name(scrubbed.identity)
        if scrubbed.identity is not None:
            assert entity_of_erased(scrubbed.identity) == one.identity_entity
        assert json.loads(scrubbed.outcome or b"{}").get("identity_key") in (None, scrubbed.identity)


def test_twice_is_once() -> None:
    """What was scrubbed is scrubbed to itself, tokens included."""
    for one in told(World()):
        scrubbed = SCRUBBER.scrub(one)
        assert SCRUBBER.scrub(scrubbed) == scrubbed


def test_record_is_effaced_without_its_events() -> None:
    """Of a record whose events are gone nothing personal stays, and what is counted does; twice is as good as once."""
    world = World()
    told(world)
    record = world.record(PERSONAL)
    assert b"Personal" in msgspec.msgpack.encode(record)
    counts, charges = dict(record.event_counts), len(record.stripe.charges)
    efface(record, TOKENS)
    once = msgspec.msgpack.encode(record)
    for part in (b"Personal", b"Example.com", b"4242"):
        assert part not in once
    assert (record.event_counts, len(record.stripe.charges)) == (counts, charges)
    assert charges
    efface(record, TOKENS)
    assert msgspec.msgpack.encode(record) == once


def test_without_tokens_nothing_is_told_apart() -> None:
    """With the tokens dropped, what stays of two persons is the same but for their keys."""
    drop = Scrubber(TOKENS, drops_tokens=True)
    world = World()
    for user in ("u1", "u2"):
        world.sign_in(user, email=f"{user}@example.com", ip_address=f"192.0.2.{user[1]}", user_agent=user)
    first, second = (drop.scrub(one) for one in world.log.events)
    assert first.body == second.body
    assert (first.entities, first.joins) == ((), ())
    assert isinstance(content_of(first), AuthEventPayload)
    assert drop.scrub(first) == first


@given(st.text(max_size=40), st.sampled_from(sorted(name for name, rule in AUTH.items() if rule is Kept.PLAIN)))
@settings(max_examples=300, deadline=None)
def test_plain_fields_hold_words_only(text: str, field: str) -> None:
    """Whatever a sender writes where a word belongs, no address and no sentence with signs stays."""
    body = json.dumps({"kilo_user_id": "u1", "event_type": "signin", "email": "a@example.com", field: text}).encode()
    kept = json.loads(SCRUBBER.scrub(Event("auth.signin", "cloud", 1, 1, body)).body)
    assert "@" not in json.dumps({name: value for name, value in kept.items() if name != "email"})
    assert set(kept.get(field) or "") & set("@\"'<>\n!?&%$§") == set()


# what is read of it


def test_stripe_says_the_same_of_tokens() -> None:
    """Which object an event is about is known from its token as it was from its id, in both layouts."""
    flat = {"id": "ch_1", "customer": {"id": "cus_1"}, "payment_method": "pm_1", "amount": 5, "decline_code": "stolen"}
    flat |= {"payment_method_details": {"card": {"fingerprint": "card-1"}}, "invoice": "in_1"}
    world = World()
    for data in (flat, {"id": "evt_1", "data": {"object": flat}}, {"id": "evt_2", "customer": "cus_1"}):
        [one] = world.read_batch(event("stripe.charge.failed", NOW_MS, **data)).events
        before, after = read_stripe(one.body), read_stripe(SCRUBBER.scrub(one).body)
        assert (after.amount, after.decline_code, after.currency) == (before.amount, before.decline_code, None)
        for name in ("customer", "charge", "payment_intent", "payment_method", "card"):
            said = getattr(before, name)
            assert getattr(after, name) == (said and TOKENS.of(said)), name
        assert [join.partition(":")[0] for join in after.joins] == [join.partition(":")[0] for join in before.joins]


@pytest.mark.parametrize("value", ["event.ip_address", "event.email", 'event.email.split("@")[1]', "event.user_agent"])
def test_distinct_counts_stay_equal(value: str) -> None:
    """A distinct count is the same bytes, whether it counted values or their tokens."""
    counted = f"{{entity: user, events: [auth.signin], aggregate: distinct, value: '{value}'}}"
    worlds = [World(policy_of(features=f"values: {counted}")) for _ in range(2)]
    for number in range(5):
        said = {
            "ip_address": f"192.0.2.{number % 3}",
            "email": f"u{number}@d{number % 2}.example.com",
            "user_agent": "x",
        }
        reading = worlds[0].read_auth(at=NOW_MS + number, **said)
        scrubbed = SCRUBBER.scrub(reading.event)
        worlds[0].take([reading.event], [reading.payload])
        worlds[1].take([scrubbed], [content_of(scrubbed)])
    before, after = (world.identity("user:u1") for world in worlds)
    assert after.features == before.features
    assert after.features


def test_list_entry_stays_in_force() -> None:
    """An entry about a person is told by its key from then on, and its reason goes."""
    world = World()
    world.change_list("blocked", "user:u1", reason="Ada sold keys")
    scrubbed = SCRUBBER.scrub(world.log.events[-1])
    said = json.loads(scrubbed.body)
    assert (said["entry"], said["reason"]) == (f"user:~{world.namer.identity('user:u1')[1:].hex()}", ERASED)
    assert said.keys() >= {"list", "change", "actor"}
    again = World()
    again.standing.take(1, scrubbed)
    assert [entry.key for entry in again.standing.lists.entries()] == [world.namer.identity("user:u1")]


def test_own_types_without_an_answer_say_nothing() -> None:
    """An event of ours that stands nowhere in the table keeps no body."""
    for name in OWN_TYPES - BODIES.keys():
        assert SCRUBBER.scrub(Event(name, "service", 1, 1, b'{"a":"b"}')).body == b"{}"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "aggregate: count, where: 'event.email.endsWith(\".example\")'",
            "email is personal: its values can be counted",
        ),
        ("aggregate: distinct, value: event.geo_city", "geo_city is personal and goes with an erasure"),
        ("aggregate: distinct, value: 'event.ip_address + \"x\"'", "ip_address is personal: its values can be counted"),
        ("aggregate: count, where: has(event.geo_city)", "geo_city is personal and goes with an erasure"),
        ("aggregate: count, where: has(event.email) && event.email != ''", "email is personal: its values can be"),
        ("aggregate: top, value: event.user_agent", "top keeps values as they are, and user_agent is personal"),
        ("aggregate: distinct, value: event.org_memberships", "org_memberships is personal and goes"),
    ],
)
def test_features_read_nothing_that_goes(said: str, message: str) -> None:
    """A feature that an erasure would change is refused when the policy is loaded."""
    with pytest.raises(PolicyError, match=message):
        policy_of(features=f"odd: {{entity: user, events: [auth.signin], {said}}}")


def test_features_may_ask_whether_it_is_there() -> None:
    """Whether a personal field was sent is no secret."""
    policy_of(features="odd: {entity: user, events: [auth.signin], aggregate: count, where: has(event.ip_address)}")
