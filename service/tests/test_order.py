"""Order does not matter: the lives of linked users, told in whatever order, leave the same records and what hangs on
them: links, clusters, tenures, joins and features. Shuffled, told twice, late, in batches, and with images between.
"""

from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_client.contract import EVENT_CLASSES
from abuse_service.console_api.record_view import record_view
from abuse_service.decisions.cluster import find_cluster
from abuse_service.events.content import Content
from abuse_service.events.event import Event
from abuse_service.features import projection
from abuse_service.identities.state import IdentityState
from abuse_service.policy.links import link_degrees
from abuse_service.testing import NOW_MS, World, event, policy_of, stripe_event

POLICY = policy_of(
    features="""
cost_life: {entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost}
cost_mean_1h: {entity: user, events: [request.cost_reported], aggregate: mean, value: event.cost, window: 1h}
cost_min_1h: {entity: user, events: [request.cost_reported], aggregate: min, value: event.cost, window: 1h}
cost_max: {entity: user, events: [request.cost_reported], aggregate: max, value: event.cost}
latency_1h: {entity: user, events: [request.classified], aggregate: sum, value: event.latency, window: 1h}
first_tokens: {entity: user, events: [request.classified], aggregate: first, value: event.max_tokens}
last_tokens_1h: {entity: user, events: [request.classified], aggregate: last, value: event.max_tokens, window: 1h}
models_1m: {entity: user, events: [request.classified], aggregate: distinct, value: event.requested_model, window: 1m}
bare_1h: {entity: user, events: [request.classified], aggregate: ratio, matching: "!has(event.has_tools)", window: 1h}
amounts: {entity: card, events: [stripe.payment_intent.succeeded], aggregate: sum, value: event.amount}
ip_users_1h: {entity: ip, events: [auth.signup, auth.signin], aggregate: distinct, value: identity, window: 1h}
models_life: {entity: user, events: [request.classified], aggregate: distinct, value: event.requested_model}
top_1h: {entity: user, events: [request.classified], aggregate: top, value: event.requested_model, window: 1h}
known_for: {entity: user, events: [auth.signin, auth.signup], aggregate: age}
rate_1m: {entity: user, events: [request.classified], aggregate: rate, window: 1m, approximate: 0.1}
cost_max_1h:
  {entity: user, events: [request.cost_reported], aggregate: max, value: event.cost, window: 1h, approximate: 0.1}
cluster_cost: {entity: cluster, events: [request.cost_reported], aggregate: sum, value: event.cost}
seen_1h: {entity: device, events: [auth.signin], aggregate: count, window: 1h}
"""
)

INTAKE = World(POLICY)


@dataclass(frozen=True)
class Told:
    """One thing that a sender says, ready to be taken in."""

    event: Event
    content: Content | None

    def __repr__(self) -> str:
        return f"{self.event.type} {self.event.body.decode()}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Else hypothesis spells out each field of a life that fails.
        printer.text(repr(self))


def told_batch(*events: dict[str, Any]) -> list[Told]:
    """What intake makes of events of a batch."""
    batch = INTAKE.read_batch(*events)
    assert not batch.rejected
    return [Told(one, content) for one, content in zip(batch.events, batch.contents, strict=True)]


def told_auth(**fields: Any) -> Told:
    """What intake makes of a sign-in."""
    reading = INTAKE.read_auth(**fields)
    return Told(reading.event, reading.payload)


def told_request(request_id: int, **fields: Any) -> Told:
    """What intake makes of a request."""
    question = INTAKE.read_request(**fields)
    return Told(question.answered(request_id, None), question.payload)


def told_cost(**fields: Any) -> Told:
    """What intake makes of a cost report."""
    reading = INTAKE.read_cost(**fields)
    return Told(reading.event, reading.payload)


LIFETIME = [name for name, feature in POLICY.catalog.features.items() if feature.declaration.window is None]
DEGREES = link_degrees({})
USERS = ("u1", "u2", "u3", "u4")
STEP_MS = 45 * 60_000
"""Lives take weeks, at instants so few that many things fall together."""

users = st.sampled_from(USERS)
words = st.sampled_from(["a", "b", "c"])
some_word = st.none() | words
flags = st.none() | st.booleans()
few = st.integers(0, 5)
payments = st.integers(1, 3)
kinds = st.sampled_from(
    ["auth", "auth", "request", "cost", "user", "org", "org", "billing", "stripe", "stripe", "stripe"]
)


@st.composite
def moments(draw: st.DrawFn) -> Told:
    """One moment of a user's life: any type of event, at one of few instants, so that many fall together."""
    kind = draw(kinds)
    at = NOW_MS - STEP_MS * draw(st.sampled_from([0, 1, 2, 3, 10, 11, 40, 300, 301, 1000]))
    event_id = str(draw(st.integers(0, 10**9)))
    if kind == "stripe":
        return draw(stripe_moments(at, event_id))
    user = draw(users)
    when = {"occurred_at": at, "event_id": event_id}
    if kind == "auth":
        return told_auth(kilo_user_id=user, **draw(sign_ins(user)), **when)
    if kind == "request":
        said = draw(requests) | {"kilo_user_id": draw(st.sampled_from([user, user, None]))}
        return told_request(draw(st.integers(1, 10**6)), **said, **when)
    if kind == "cost":
        said = {"request_id": draw(st.integers(1, 10**6)), "cost": draw(st.integers(-100, 100))}
        return told_cost(kilo_user_id=user, message_id="m", input_tokens=draw(some_number), occurred_at=at, **said)
    name = draw(st.sampled_from(NAMES[kind]))
    return told_batch(event(name, at, event_id, kilo_user_id=user, **draw(SAID[name])))[0]


some_number = st.none() | few
address = st.sampled_from([None, "192.0.2.1", "192.0.2.2", "192.0.2.130", "2001:db8::1"])
agent = st.sampled_from([None, "curl/8", "Mozilla/5.0"])
ja4 = st.sampled_from([None, "t13d_1", "t13d_2"])
country = st.sampled_from([None, "AT", "DE"])
organization = st.fixed_dictionaries(
    {"organization_id": words, "role": some_word, "plan": st.sampled_from([None, "teams", "free"])}
)
network = {"ip_address": address, "user_agent": agent, "ja4_digest": ja4, "geo_country": country, "geo_city": some_word}
requests = st.fixed_dictionaries(
    network
    | {
        "requested_model": some_word,
        "max_tokens": some_number,
        "latency": st.none() | st.floats(0, 1000),
        "has_tools": flags,
    }
)
SAID: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "user.blocked": st.fixed_dictionaries({"reason": some_word, "actor_email": st.just("ops@example.com")}),
    "user.unblocked": st.fixed_dictionaries({"reason": some_word}),
    "user.deleted": st.just({}),
    "user.email_changed": st.fixed_dictionaries(
        {
            "email": words.map("{}@example.com".format),
            "previous_email": some_word.map(lambda word: word and f"{word}@example.com"),
        }
    ),
    "billing.credit_purchased": st.fixed_dictionaries(
        {
            "microdollars_acquired": st.integers(-5, 5),
            "is_free": flags,
            "total_microdollars_acquired": some_number,
            "organization_id": some_word,
        }
    ),
    "billing.kilo_pass_changed": st.fixed_dictionaries(
        {"tier": some_word, "status": st.sampled_from([None, "active", "canceled"]), "streak_months": some_number}
    ),
} | dict.fromkeys(("org.created", "org.deleted", "org.member_added", "org.member_removed"), organization)
NAMES = {kind: [name for name in SAID if name.startswith(kind)] for kind in ("user", "org", "billing")}


@st.composite
def sign_ins(draw: st.DrawFn, user: str) -> dict[str, Any]:
    """What a sign-up or a sign-in says."""
    said = {name: draw(value) for name, value in network.items()}
    if draw(st.booleans()):
        said |= {
            "stytch_hardware_fingerprint": draw(st.sampled_from([None, "device-1", "device-2"])),
            "stytch_verdict_action": draw(st.sampled_from([None, "ALLOW", "BLOCK"])),
            "stytch_session_id": draw(some_word),
            "signup_ip": draw(address),
            "is_blocked": draw(flags),
        }
    return said | {
        "event_type": draw(st.sampled_from(["signup", "signin"])),
        "email": f"{draw(words)}@example.com",
        "cohorts": draw(st.lists(words, max_size=2)),
        "stripe_customer_id": draw(st.sampled_from([None, f"customer_{user}"])),
        "org_memberships": draw(st.lists(organization, max_size=2)),
    }


@st.composite
def stripe_moments(draw: st.DrawFn, at: int, event_id: str) -> Told:
    """An event of Stripe's about one of a user's payments; most name no user, and any subset of the payment's ids."""
    name = draw(st.sampled_from([name for name in EVENT_CLASSES if name.startswith("stripe.")]))
    # Now and then two users claim one id.
    whose = draw(st.sampled_from([*USERS, *USERS, *USERS, "both"]))
    number = draw(payments)
    ids = draw(st.sets(st.sampled_from(["customer", "charge", "payment_intent", "payment_method"]), min_size=1))
    said: dict[str, Any] = {one: f"{one}_{whose}_{number}" for one in sorted(ids - {"customer"})}
    said |= {"customer": f"customer_{whose}"} if "customer" in ids else {}
    said |= {"amount": draw(few), "currency": draw(words), "status": draw(some_word), "decline_code": draw(some_word)}
    said |= {"id": f"dp_{whose}_{number}"} if "dispute" in name and draw(st.booleans()) else {}
    said |= {"card": draw(st.sampled_from([None, {"fingerprint": "card-1", "brand": "visa"}]))}
    named: dict[str, Any] = {}
    if draw(st.sampled_from([True, False, False])):
        named = {"kilo_user_id": whose if whose in USERS else draw(users)}
        named |= {"organization_id": draw(st.sampled_from([None, None, "a"]))}
    if draw(st.booleans()):
        return told_batch(stripe_event(name, said, at, f"evt_{event_id}", **named))[0]
    return told_batch(event(name, at, event_id, **said, **named))[0]


def tell(batches: list[list[Told]], *, most_hot: int = 10_000) -> World:
    """A world that was told these batches in this order; with few states hot, each batch ends with an image."""
    world = World(POLICY, most_hot=most_hot)
    for batch in batches:
        world.take([moment.event for moment in batch], [moment.content for moment in batch])
        if most_hot < len(batches):
            lay_to_rest(world)
    return world


def lay_to_rest(world: World) -> None:
    """Take an image of the states, and forget what need not be in memory."""
    world.states.begin_cut(world.log.last_position, ())
    cut = None
    while cut is None:
        cut = world.states.pack_some(100)
    world.cold.keep(cut)
    world.states.finish_cut()


def split(life: list[Told], chance: Random) -> list[list[Told]]:
    """The life in batches of up to eight."""
    batches: list[list[Told]] = [[]]
    for moment in life:
        if len(batches[-1]) >= chance.randint(1, 8):
            batches.append([])
        batches[-1].append(moment)
    return batches


def states_of(world: World) -> dict[bytes, Any]:
    """All states and owners of Stripe ids, and what waits for one, without the positions that say when it came."""
    joins = world.states.joins
    ids = {join for stored in world.log.read(0) for join in stored.event.joins}
    waiting = sorted(world.log.events[waits.position - 1].event_key for waits in joins.waiting)
    owners = {join: joins.owners([join]) for join in sorted(ids)}
    return world.states.all() | owners | {b"waiting": waiting}


def packed(world: World) -> dict[bytes, bytes]:
    """All states as bytes, dicts sorted."""
    encode = msgspec.msgpack.Encoder(order="deterministic").encode
    return {key: encode(_text_keys(msgspec.to_builtins(state))) for key, state in states_of(world).items()}


def seen(world: World) -> dict[bytes, Any]:
    """What is read of each identity: the record as it is shown, its cluster, and its features for life."""
    read = {}
    for key, state in world.states.all().items():
        if isinstance(state, IdentityState):
            cluster = find_cluster(world.projection, key, state, DEGREES)
            features = {name: POLICY.catalog.features[name].read(state.features, NOW_MS) for name in LIFETIME}
            read[key] = record_view(state.record, ended=world.projection.ended), cluster, features
    return read


def _text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {repr(key): _text_keys(item) for key, item in value.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def lives_of(length: int) -> st.SearchStrategy[list[Told]]:
    """Lives of so many moments."""
    return st.lists(moments(), min_size=length, max_size=length, unique_by=lambda moment: moment.event.event_key)


# Each length as often as any other: by itself hypothesis prefers short ones.
lives = st.integers(1, 40).flatmap(lives_of)


@given(lives, st.randoms(use_true_random=False))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_order_gives_equal_states(life: list[Told], chance: Random) -> None:
    """Lives that are shuffled, repeated, delayed and cut into batches leave the same of everything, to the byte."""
    in_order = tell([sorted(life, key=lambda moment: moment.event.occurred_at_ms)])
    expected, expected_bytes, expected_sight = states_of(in_order), packed(in_order), seen(in_order)
    repeated = life + chance.choices(life, k=len(life) // 2)
    chance.shuffle(repeated)
    late = sorted(life, key=lambda moment: (chance.random() < 0.2, moment.event.occurred_at_ms))
    for told, most_hot in ((repeated, 10_000), (repeated[::-1], 3), (late, 10_000)):
        other = tell(split(told, chance), most_hot=most_hot)
        assert states_of(other) == expected
        assert packed(other) == expected_bytes
        assert seen(other) == expected_sight


@given(lives)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_log_retells_equal_states(life: list[Told]) -> None:
    """The log, told again from its start, gives the states that were there."""
    world = tell([life])
    assert states_of(world.retold()) == states_of(world)


@given(lives, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_slices_give_equal_states(life: list[Told], chance: Random) -> None:
    """Where what claims release is counted one by one, whenever there is time, the outcome is the same."""
    in_order = tell([sorted(life, key=lambda moment: moment.event.occurred_at_ms)])
    shuffled = life[:]
    chance.shuffle(shuffled)
    world = World(POLICY)
    with patch.object(projection, "MOST_DELIVERED", 0):
        for batch in split(shuffled, chance):
            world.take([moment.event for moment in batch], [moment.content for moment in batch])
            world.projection.deliver_some(chance.randint(0, 2))
        while world.projection.deliver_some(1):
            pass
    assert states_of(world) == states_of(in_order)
    assert seen(world) == seen(in_order)
