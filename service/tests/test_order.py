"""Order does not matter: the same life, told in whatever order, leaves the same states."""

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_service.events.content import Content
from abuse_service.events.event import Event
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

STRIPE_IDS = ("customer", "charge", "payment_intent", "payment_method")


INTAKE = World(POLICY)


@dataclass(frozen=True)
class Told:
    """One thing that a sender says, ready to be taken in."""

    event: Event
    content: Content | None

    def __repr__(self) -> str:
        return f"{self.event.type} {self.event.body.decode()}"


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


some_ids = st.sets(st.sampled_from(STRIPE_IDS), min_size=1)
words = st.sampled_from(["a", "b", "c"])
flags = st.none() | st.booleans()


def stripe_object(user: str, named: set[str]) -> dict[str, Any]:
    """Ids of one user's Stripe objects, those that are named."""
    return {name: f"{name}_{user}" for name in sorted(named)}


@st.composite
def moments(draw: st.DrawFn) -> Told:
    """One moment of a user's life: any type of event, at one of few instants, so that many fall together."""
    user = draw(st.sampled_from(["u1", "u2", "u3"]))
    at = NOW_MS - 90_000 * draw(st.integers(0, 50))
    event_id = str(draw(st.integers(0, 10**9)))
    kind = draw(st.sampled_from(["auth", "request", "cost", "user", "org", "billing", "stripe", "stripe", "stripe"]))
    when = {"occurred_at": at, "event_id": event_id}
    if kind == "auth":
        return told_auth(
            kilo_user_id=user,
            event_type=draw(st.sampled_from(["signup", "signin"])),
            email=f"{draw(words)}@example.com",
            ip_address=f"192.0.2.{draw(st.integers(1, 3))}",
            signup_ip=draw(st.sampled_from([None, "192.0.2.1", "192.0.2.2"])),
            stytch_hardware_fingerprint=draw(st.sampled_from([None, "device-1", "device-2"])),
            is_blocked=draw(flags),
            cohorts=draw(st.lists(words)),
            geo_city=draw(st.none() | words),
            stripe_customer_id=draw(st.sampled_from([None, f"customer_{user}"])),
            org_memberships=[{"organization_id": draw(words), "role": draw(st.none() | words)}],
            **when,
        )
    if kind == "request":
        return told_request(
            draw(st.integers(1, 10**6)),
            kilo_user_id=user,
            ip_address=f"192.0.2.{draw(st.integers(1, 3))}",
            requested_model=draw(st.none() | words),
            max_tokens=draw(st.none() | st.integers(0, 5)),
            latency=draw(st.none() | st.floats(0, 1000)),
            has_tools=draw(flags),
            **when,
        )
    if kind == "cost":
        number = draw(st.integers(1, 10**6))
        return told_cost(
            kilo_user_id=user, request_id=number, message_id="m", cost=draw(st.integers(-100, 100)), occurred_at=at
        )
    if kind == "user":
        said: dict[str, Any] = {"kilo_user_id": user}
        name = draw(st.sampled_from(["user.blocked", "user.unblocked", "user.deleted", "user.email_changed"]))
        if name == "user.email_changed":
            said |= {"email": f"{draw(words)}@example.com", "previous_email": f"{draw(words)}@example.com"}
        if name == "user.blocked":
            said |= {"reason": draw(st.none() | words)}
        return told_batch(event(name, at, event_id, **said))[0]
    if kind == "org":
        name = draw(st.sampled_from(["org.created", "org.deleted", "org.member_added", "org.member_removed"]))
        said = {"kilo_user_id": user, "organization_id": draw(words), "role": draw(st.none() | words)}
        return told_batch(event(name, at, event_id, **said))[0]
    if kind == "billing":
        if draw(st.booleans()):
            said = {"microdollars_acquired": draw(st.integers(-5, 5)), "is_free": draw(flags)}
            said |= {"total_microdollars_acquired": draw(st.none() | st.integers(0, 5))}
            return told_batch(event("billing.credit_purchased", at, event_id, kilo_user_id=user, **said))[0]
        said = {"tier": draw(st.none() | words), "status": draw(st.none() | words)}
        return told_batch(event("billing.kilo_pass_changed", at, event_id, kilo_user_id=user, **said))[0]
    name = draw(
        st.sampled_from(
            [
                "stripe.payment_method.attached",
                "stripe.payment_method.detached",
                "stripe.charge.dispute.created",
                "stripe.charge.dispute.funds_withdrawn",
                "stripe.radar.early_fraud_warning.created",
                "stripe.charge.failed",
                "stripe.payment_intent.succeeded",
            ]
        )
    )
    # Now and then two users claim one id.
    whose = draw(st.sampled_from([user, user, user, "both"]))
    said = stripe_object(whose, draw(some_ids)) | {"amount": draw(st.integers(0, 9)), "currency": draw(words)}
    said |= {"status": draw(st.none() | words), "decline_code": draw(st.none() | words)}
    said |= {"card": draw(st.sampled_from([None, {"fingerprint": "card-1", "brand": "visa"}]))}
    named = {"kilo_user_id": user} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        return told_batch(stripe_event(name, said, at, f"evt_{event_id}", **named))[0]
    return told_batch(event(name, at, event_id, **said, **named))[0]


def tell(moments: list[Told]) -> World:
    """A world that was told these moments in this order."""
    world = World(POLICY)
    for moment in moments:
        world.take([moment.event], [moment.content])
    return world


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


def _text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {repr(key): _text_keys(item) for key, item in value.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


lives = st.lists(moments(), max_size=30, unique_by=lambda moment: moment.event.event_key)


@given(st.data(), lives)
@settings(max_examples=500, deadline=None)
def test_any_order_gives_equal_states(data: st.DataObject, life: list[Told]) -> None:
    """A life that is shuffled and partly repeated leaves the same records, links, joins and features, to the byte."""
    repeated = life + data.draw(st.lists(st.sampled_from(life), max_size=5) if life else st.just([]))
    in_order = tell(sorted(life, key=lambda moment: moment.event.occurred_at_ms))
    shuffled = tell(data.draw(st.permutations(repeated)))
    assert states_of(shuffled) == states_of(in_order)
    assert packed(shuffled) == packed(in_order)


@given(lives)
@settings(max_examples=50, deadline=None)
def test_log_retells_equal_states(life: list[Told]) -> None:
    """The log, told again from its start, gives the states that were there."""
    world = tell(life)
    assert states_of(world.retold()) == states_of(world)
