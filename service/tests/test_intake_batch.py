"""What intake makes of a batch: every event taken, or refused by name and place."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import EVENT_CLASSES, InvalidField, MalformedJson
from abuse_service.errors import TooLarge
from abuse_service.events.content import content_of
from abuse_service.events.event import Event
from abuse_service.intake.receipt import FUTURE_TOLERANCE_MS, Receipt
from abuse_service.replay.retell import enforcement_of
from abuse_service.testing import NOW_MS, World, event, stripe_event


def read_one(one: dict[str, object] | bytes, **about: object) -> Event:
    """The one event of a batch, as intake reads it."""
    batch = World().read_batch(one, **about)  # type: ignore[arg-type]
    assert not batch.rejected
    return batch.events[0]


LEAST = {
    "user.blocked": {"kilo_user_id": "u1"},
    "user.unblocked": {"kilo_user_id": "u1"},
    "user.deleted": {"kilo_user_id": "u1"},
    "user.email_changed": {"kilo_user_id": "u1", "email": "ada@example.com"},
    "org.member_added": {"kilo_user_id": "u1", "organization_id": "o1"},
    "org.member_removed": {"kilo_user_id": "u1", "organization_id": "o1"},
    "org.created": {"kilo_user_id": "u1", "organization_id": "o1"},
    "org.deleted": {"kilo_user_id": "u1", "organization_id": "o1"},
    "billing.credit_purchased": {"kilo_user_id": "u1", "microdollars_acquired": 5},
    "billing.kilo_pass_changed": {"kilo_user_id": "u1"},
} | {name: {} for name in EVENT_CLASSES if name.startswith("stripe.")}


@pytest.mark.parametrize("name", EVENT_CLASSES)
def test_least_event_is_taken(name: str) -> None:
    """Each of the 17 types is taken with its required fields alone."""
    assert read_one(event(name, **LEAST[name])).type == name


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, said in LEAST.items() for field in said], ids=lambda part: part
)
@pytest.mark.parametrize("wrong", [None, [], {}, True, ""], ids=repr)
def test_required_field_rejects(name: str, field: str, wrong: object) -> None:
    """A required field that is missing or wrong rejects its event, and the reason names the place."""
    batch = World().read_batch(event(name, **LEAST[name] | {field: wrong}))
    assert batch.events == []
    assert [rejected.path for rejected in batch.rejected] == [f"data.{field}"]


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({"type": "user.blocked"}, "data"),
        ({"type": "user.blocked", "data": None}, "data"),
        ({"type": "stripe.charge.failed", "data": [1]}, "data"),
        ({"type": "stripe.charge.failed"}, "data"),
        ({"type": "", "data": {}}, "type"),
        ({"type": 5, "data": {}}, "type"),
        ({"data": {}}, "type"),
        (event("user.blocked", kilo_user_id=" \ufeff\u00a0"), "data.kilo_user_id"),
        (event("user.blocked", kilo_user_id="u" * 1025), "data.kilo_user_id"),
        (event("billing.credit_purchased", kilo_user_id="u1", microdollars_acquired=2**53), None),
    ],
)
def test_broken_event_names_the_place(broken: dict[str, object], path: str | None) -> None:
    """An event that breaks the contract is kept in quarantine with its place in the batch, its bytes and the path."""
    batch = World().read_batch(event("user.deleted", kilo_user_id="u1"), broken)
    assert [one.type for one in batch.events] == ["user.deleted"]
    assert [(rejected.index, json.loads(rejected.body)) for rejected in batch.rejected] == [(1, broken)]
    assert batch.rejected[0].path == (path or "data.microdollars_acquired")


@pytest.mark.parametrize("entry", [b"1", b"null", b'"x"', b"[]"])
def test_entry_that_is_no_object_rejects(entry: bytes) -> None:
    """An entry that is no object is rejected alone."""
    batch = World().read_batch(entry, event("user.deleted", kilo_user_id="u1"))
    assert len(batch.rejected) == len(batch.events) == 1


@pytest.mark.parametrize("field", ["reason", "actor_email"])
@pytest.mark.parametrize("odd", [5, [], {}, True], ids=repr)
def test_odd_optional_field_reads_absent(field: str, odd: object) -> None:
    """An optional field of a wrong type is kept as it came, counted as malformed, and read as absent."""
    batch = World().read_batch(
        event("user.deleted", kilo_user_id="u2"), event("user.blocked", kilo_user_id="u1", **{field: odd})
    )
    assert getattr(batch.contents[1], field) is None
    assert batch.malformed == [f"events[1].data.{field}"]
    assert json.loads(batch.events[1].body)["data"][field] == odd


def test_unknown_type_is_kept_whole() -> None:
    """A type that nobody knows is taken, with its user, and named once."""
    batch = World().read_batch(event("user.promoted", kilo_user_id="u1", to={"deep": [1, 2]}))
    assert batch.unknown_types == {"user.promoted"}
    assert batch.events[0].identity == "user:u1"
    assert json.loads(batch.events[0].body)["data"]["to"] == {"deep": [1, 2]}


@pytest.mark.parametrize(
    "name",
    ["request.classified", "request.cost_reported", "auth.signup", "account.judged", "service.enforcement_changed"],
)
def test_own_types_cannot_be_sent(name: str) -> None:
    """A sender who uses a type of the service's own changes nothing by it: not a record, not the enforcement switch."""
    world = World()
    said = {"kilo_user_id": "u1", "event_type": "signup", "email": "ada@example.com", "request_id": 1, "cost": 5}
    world.send({"type": name, "is_enforced": False, "message_id": "m", "data": said, **said})
    kept = world.log.events[0]
    assert kept.type == f"foreign.{name}"
    assert content_of(kept) is None
    assert enforcement_of(kept) is None
    assert world.retold().states.all() == world.states.all()
    assert world.record().event_counts == {"unknown": 1}


def test_switch_is_the_services_own() -> None:
    """An event that only looks like the enforcement switch, from another source, is none."""
    forged = Event("service.enforcement_changed", "cloud", NOW_MS, NOW_MS, b'{"is_enforced":false}')
    assert enforcement_of(forged) is None


# ids


def test_sender_id_is_the_key() -> None:
    """The sender's own id makes two copies one, whatever else differs."""
    first, again, other = (
        World()
        .read_batch(
            event("user.blocked", event_id="e1", kilo_user_id="u1"),
            event("user.blocked", event_id="e1", kilo_user_id="u1", reason="spam"),
            event("user.blocked", event_id="e2", kilo_user_id="u1"),
        )
        .events
    )
    assert first.event_key == again.event_key != other.event_key
    assert first.content_key != again.content_key


def test_ids_are_scoped_by_source_and_type() -> None:
    """Equal ids of two senders, or of two types, are two events."""
    keys = {
        read_one(event(name, event_id="e1", kilo_user_id="u1"), source=source).event_key
        for name in ("user.blocked", "user.unblocked")
        for source in ("cloud", "gateway")
    }
    assert len(keys) == 4


def test_webhook_id_is_the_key() -> None:
    """Without an id of the sender's, Stripe's own counts; the time of a repeat does not matter."""
    first = read_one(stripe_event("stripe.charge.failed", {"id": "ch_1"}, NOW_MS, "evt_1"))
    again = read_one(stripe_event("stripe.charge.failed", {"id": "ch_1"}, NOW_MS + 1, "evt_1"))
    flat = read_one(event("stripe.charge.failed", id="evt_1", charge="ch_1"))
    named = read_one(stripe_event("stripe.charge.failed", {"id": "ch_1"}, NOW_MS, "evt_1") | {"event_id": "e1"})
    assert first.event_key == again.event_key == flat.event_key != named.event_key
    assert first.content_key == again.content_key


def test_object_id_is_no_event_id() -> None:
    """The id of a Stripe object names no event: two failures of one charge are two."""
    same = event("stripe.charge.failed", id="ch_1")
    assert read_one(same).event_key == b""


def test_time_and_content_make_the_key() -> None:
    """Without an id, type, time and content are the key, and the time of receipt is not."""
    purchase = event("billing.credit_purchased", NOW_MS, kilo_user_id="u1", microdollars_acquired=5)
    keys = [
        read_one(purchase).event_key,
        read_one(purchase, at=NOW_MS + 1).event_key,
        read_one(purchase | {"occurred_at": NOW_MS + 1}).event_key,
        read_one(event("billing.credit_purchased", NOW_MS, kilo_user_id="u2", microdollars_acquired=5)).event_key,
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_key_does_not_depend_on_the_batch() -> None:
    """A neighbour that needs mending does not change an event's key: its repeat in another batch is still a repeat."""
    one = b'{"type":"user.deleted","occurred_at":1,"data":{"kilo_user_id":"\\u00e9", "x": 1.0}}'
    odd = b'{"type":"user.blocked","data":{"kilo_user_id":"u1","reason":"a\x01b"}}'
    assert World().read_batch(odd, one).events[1].event_key == World().read_batch(one).events[0].event_key


def test_every_receipt_counts_without_id_and_time() -> None:
    """Two equal purchases without id and time in one batch are two."""
    world = World()
    purchase = event("billing.credit_purchased", kilo_user_id="u1", microdollars_acquired=5)
    world.send(purchase, purchase)
    assert world.record().credits.paid_microdollars == 10


def test_repeat_and_conflict_are_told() -> None:
    """A second copy changes nothing; one with other content is a conflict, also within a batch."""
    world = World()
    first = event("billing.credit_purchased", event_id="e1", kilo_user_id="u1", microdollars_acquired=5)
    other = event("billing.credit_purchased", event_id="e1", kilo_user_id="u1", microdollars_acquired=6)
    assert world.send(first, first, other).conflicts == (2,)
    assert world.send(first).conflicts == ()
    assert world.record().credits.paid_microdollars == 5


# times


@pytest.mark.parametrize(
    ("claimed", "counted"),
    [
        (None, NOW_MS),
        (0, 0),
        (NOW_MS - 1, NOW_MS - 1),
        (NOW_MS + FUTURE_TOLERANCE_MS, NOW_MS + 300_000),
        (NOW_MS + FUTURE_TOLERANCE_MS + 1, NOW_MS + 300_000),
        (2**53 - 1, NOW_MS + 300_000),
    ],
)
def test_future_counts_as_five_minutes(claimed: int | None, counted: int) -> None:
    """An event happened when its sender says, at most five minutes after its receipt; without a claim, at receipt."""
    assert read_one(event("user.deleted", claimed, kilo_user_id="u1")).occurred_at_ms == counted


@pytest.mark.parametrize("odd", ["2024-05-01", -1, 2**53, 1.5, True, [], 10**400])
@pytest.mark.parametrize("name", ["user.deleted", "stripe.charge.failed", "user.promoted"])
def test_odd_time_counts_as_receipt(name: str, odd: object) -> None:
    """A time that is none is read as absent."""
    sent = json.dumps({"type": name, "occurred_at": odd, "data": {"kilo_user_id": "u1"}}).encode()
    assert read_one(sent).occurred_at_ms == NOW_MS


# what may come


@pytest.mark.parametrize("number", [b"1e400", b"1" + b"0" * 30, b"9" * 5000, b"-1e999"])
@pytest.mark.parametrize("name", ["stripe.payment_intent.succeeded", "stripe.charge.dispute.created", "user.promoted"])
def test_huge_number_is_taken(number: bytes, name: str) -> None:
    """A number beyond any field breaks nothing: not its event, not its batch, not the packing of the record."""
    world = World()
    sent = b'{"type":"%s","data":{"kilo_user_id":"u1","data":{"object":{"id":"ch_1","amount":%s}}}}'
    appended = world.send(sent % (name.encode(), number), event("user.deleted", kilo_user_id="u1"))
    assert appended.positions == [1, 2]
    world.states.begin_cut(2, ())
    assert world.states.pack_some(100) is not None
    assert world.retold().states.all() == world.states.all()


def test_half_surrogate_is_mended() -> None:
    """Half an emoji in a reason is no reason to refuse the event."""
    sent = b'{"type":"user.blocked","data":{"kilo_user_id":"u1","reason":"cut \\ud83d"}}'
    assert World().read_batch(sent).contents[0].reason == "cut \ufffd"  # type: ignore[union-attr]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"nul", b'"x"', b"\xff", b"[" * 100_000])
def test_body_without_an_object_is_refused(body: bytes) -> None:
    """What is no JSON object is malformed, whatever it is."""
    with pytest.raises(MalformedJson):
        World()._batches.read(body, Receipt(NOW_MS, "cloud"))


@pytest.mark.parametrize("body", [b"{}", b'{"events":null}', b'{"events":{}}', b'{"events":"x"}'])
def test_body_without_events_is_refused(body: bytes) -> None:
    """A body without a list of events is refused by name."""
    with pytest.raises(InvalidField) as refused:
        World()._batches.read(body, Receipt(NOW_MS, "cloud"))
    assert refused.value.path == "events"


def test_batch_takes_ten_thousand() -> None:
    """10,000 events are taken, one more is too many and the message says the limit."""
    one = b'{"type":"user.deleted","data":{"kilo_user_id":"u1"}}'
    assert len(World().read_batch(*[one] * 10_000).events) == 10_000
    with pytest.raises(TooLarge, match="10000 events at most, found 10001"):
        World().read_batch(*[one] * 10_001)


def test_deep_nesting_rejects_alone() -> None:
    """An event nested too deep is rejected, its neighbour counts."""
    deep = b'{"type":"user.promoted","data":' + b"[" * 90 + b"]" * 90 + b"}"
    batch = World().read_batch(deep, event("user.deleted", kilo_user_id="u1"))
    assert [rejected.message for rejected in batch.rejected] == ["nested too deep"]
    assert len(batch.events) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
stripe_names = st.sampled_from(
    [
        "id",
        "object",
        "customer",
        "charge",
        "payment_intent",
        "payment_method",
        "source",
        "amount",
        "outcome",
        "card",
        "payment_method_details",
        "charges",
        "decline_code",
        "currency",
        "data",
        "previous_attributes",
        "kilo_user_id",
    ]
)


@given(
    st.sampled_from(sorted(LEAST)),
    st.dictionaries(stripe_names | st.just("reason"), json_values, max_size=6),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_anything_optional_is_folded(name: str, said: dict[str, object], is_whole: bool) -> None:
    """Whatever stands in optional fields, the event is taken, folded, packed and retold alike."""
    world = World()
    beside = {"data": {"object": said, "previous_attributes": said}} if is_whole else said
    sent = json.dumps(event(name, **beside | LEAST[name])).replace("NaN", "1e999").replace("Infinity", "1e999")
    assert world.send(sent.encode()).positions == [1]
    world.states.begin_cut(1, ())
    assert world.states.pack_some(100) is not None
    assert world.retold().states.all() == world.states.all()


def test_foreign_types_share_no_ids() -> None:
    """A sender's event that is called like one of ours has a key of its own: it never stands in a request's way."""
    world = World()
    [foreign] = world.read_batch({"type": "request.classified", "event_id": "E2", "data": {}}).events
    assert foreign.type == "foreign.request.classified"
    assert foreign.event_key != world.read_request(kilo_user_id="u1", event_id="E2").event_key


def test_unknown_stripe_types_count_once() -> None:
    """A webhook of a type that is not known yet counts once by its `evt_` id, like those that are."""
    world = World()
    webhook = {"id": "evt_1", "data": {"object": {}}}
    first = world.send({"type": "stripe.plan.created", "data": webhook})
    again = world.send({"type": "stripe.plan.created", "data": webhook | {"pending_webhooks": 2}})
    assert (first.duplicates, again.duplicates) == (0, 1)


@pytest.mark.parametrize("marker", ["undefined", "null", "unknown", "00000000", " "])
def test_markers_of_stripe_never_link(marker: str) -> None:
    """A word for nothing in place of a customer or a card is no entity."""
    data = {"customer": marker, "card": {"fingerprint": marker}, "kilo_user_id": "u1"}
    [stamped] = World().read_batch({"type": "stripe.payment_method.attached", "data": data}).events
    assert stamped.entities == ()
