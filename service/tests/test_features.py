"""Declared features: what an event adds to which, and what a declaration may not say."""

import msgspec
import pytest

from abuse_service.errors import PolicyError
from abuse_service.features.declaration import Aggregate, Declaration, Entity
from abuse_service.testing import NOW_MS, World, event, policy_of


def world_with(features: str) -> World:
    """A world under a policy with these features."""
    return World(policy_of(features=features))


def declared(**said: object) -> Declaration:
    """A count of requests, with what is said otherwise."""
    usual = {"entity": Entity.USER, "events": ["request.classified"], "aggregate": Aggregate.COUNT}
    return Declaration(**usual | said)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "message", "place"),
    [
        ("{entity: user, events: [user.deleted], aggregate: sum}", "sum needs a value", "value"),
        (
            "{entity: user, events: [request.cost_reported], aggregate: count, value: event.cost}",
            "count takes no value",
            "value",
        ),
        ("{entity: user, events: [user.deleted], aggregate: ratio}", "ratio needs matching", "matching"),
        (
            "{entity: user, events: [user.deleted], aggregate: count, matching: 'true'}",
            "count takes no matching",
            "matching",
        ),
        ("{entity: user, events: [], aggregate: count}", "expected at least one event type", "events"),
        (
            "{entity: user, events: [user.deleted], aggregate: count, window: 59s}",
            "expected life or a window from 1m to 90d, found '59s'",
            "window",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: count, window: 91d}",
            "expected life or a window from 1m to 90d, found '91d'",
            "window",
        ),
        ("{entity: user, events: [user.deleted], aggregate: rate}", "rate needs a window", "window"),
        (
            "{entity: user, events: [user.deleted], aggregate: age, window: 1h}",
            "age looks at all of life and takes no window",
            "window",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: age, value: occurred_at}",
            "age takes no value",
            "value",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: last, value: occurred_at, window: 1h, approximate: 0.1}",
            "last is always exact",
            "approximate",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: count, approximate: 0.1}",
            "count for life is exact",
            "approximate",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: count, window: 1m, approximate: 0.01}",
            "expected a share of the window from 0.005 to 0.5, a second or more, found 0.01",
            "approximate",
        ),
        (
            "{entity: user, events: [user.deleted], aggregate: distinct, value: identity, approximate: 0.01}",
            "expected a relative error from 0.1 to 0.5, found 0.01",
            "approximate",
        ),
        (
            "{entity: user, events: [auth.signin], aggregate: top, value: event.email}",
            "top keeps values as they are, and email is personal; count it with distinct",
            "value",
        ),
        (
            "{entity: user, events: [auth.signin], aggregate: top, value: 'event[event_type]'}",
            "top names its field, as in event.model",
            "value",
        ),
        (
            "{entity: user, events: [auth.signin], aggregate: top, value: 'event[\"email\"]'}",
            "top keeps values as they are, and email is personal; count it with distinct",
            "value",
        ),
        (
            "{entity: user, events: [request.classified], aggregate: count, where: 'event.user_prompt.size() > 9'}",
            "prompts are never kept, so user_prompt can be counted with distinct and not read",
            "where",
        ),
        (
            "{entity: user, events: [request.classified], aggregate: distinct, value: 'event.system_prompt + \"x\"'}",
            "prompts are never kept, so system_prompt can be counted with distinct and not read",
            "value",
        ),
    ],
)
def test_declaration_keeps_the_laws(said: str, message: str, place: str) -> None:
    """A declaration that can't be computed is refused with the place and what was expected."""
    with pytest.raises(PolicyError) as refused:
        policy_of(features=f"odd: {said}")
    assert (refused.value.message, refused.value.path) == (message, f"features.odd.{place}")


def test_prompts_can_be_counted() -> None:
    """Distinct prompts are counted by their tokens, for what they say is not kept."""
    counted = "{entity: user, events: [request.classified], aggregate: distinct, value: event.user_prompt}"
    world = World(policy_of(features=f"prompts: {counted}"))
    for prompt in ("one", "two", "one"):
        world.classify(user_prompt=prompt)
    assert world.feature("prompts") == 2


@pytest.mark.parametrize("place", ["where", "matching", "value"])
def test_expression_is_checked(place: str) -> None:
    """An expression that does not hold together is refused at its place, and the spot is shown."""
    said = {"where": "count, where: '(nonsense'", "matching": "ratio, matching: '(nonsense'"}
    said["value"] = "sum, value: '(nonsense'"
    with pytest.raises(PolicyError) as refused:
        policy_of(features=f"odd: {{entity: user, events: [user.deleted], aggregate: {said[place]}}}")
    assert refused.value.path == f"features.odd.{place}"
    assert "nonsense" in refused.value.told()


@pytest.mark.parametrize("window", ["1m", "60s", "24h", "90d", "life"])
def test_windows_from_minute_to_quarter(window: str) -> None:
    """Windows are given in seconds, minutes, hours or days, or as life."""
    declared(window=window).check("fine")


@pytest.mark.parametrize(
    "change",
    [
        {"window": "1h"},
        {"events": ["auth.signin"]},
        {"entity": Entity.IP},
        {"where": "event.streamed"},
        {"window": "1h", "approximate": 0.1},
        {"aggregate": Aggregate.RATE, "window": "1h"},
        {"aggregate": Aggregate.DISTINCT, "value": "event.model"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changed_meaning_changes_the_key(change: dict[str, object]) -> None:
    """A declaration that means something else keeps its numbers elsewhere, so old ones are never read."""
    assert declared(**change).key != declared().key


def test_same_meaning_keeps_the_key() -> None:
    """A new title, the order of the events and one named twice change nothing."""
    one = declared(events=["a", "b"])
    assert declared(events=["b", "a", "b"], title="other").key == one.key


def test_equal_declarations_count_once() -> None:
    """Two names for one meaning read the same, and each event counts once."""
    same = "{entity: user, events: [request.classified, request.classified], aggregate: count}"
    world = world_with(f"one: {same}\nother: {same}")
    world.classify()
    assert (world.feature("one"), world.feature("other")) == (1, 1)


def keys_of(features: str) -> dict[str, str]:
    """The key of each feature's state."""
    return {name: feature.key for name, feature in policy_of(features=features).catalog.features.items()}


def test_alike_features_share_their_state() -> None:
    """What reads the same events and values and is kept alike is kept once, whatever else is declared."""
    cost = "{entity: user, events: [request.cost_reported], value: event.cost"
    alone = keys_of(f"sum_1h: {cost}, aggregate: sum, window: 1h}}")
    keys = keys_of(
        f"""
sum_1h: {cost}, aggregate: sum, window: 1h}}
sum_24h: {cost}, aggregate: sum, window: 24h}}
mean_2h: {cost}, aggregate: mean, window: 2h}}
sum_7d: {cost}, aggregate: sum, window: 7d}}
about_1h: {cost}, aggregate: sum, window: 1h, approximate: 0.1}}
about_2h: {cost}, aggregate: sum, window: 2h, approximate: 0.1}}
min_1h: {cost}, aggregate: min, window: 1h}}
last_1h: {cost}, aggregate: last, window: 1h}}
whole: {cost}, aggregate: sum}}
of_cluster: {cost.replace("user", "cluster")}, aggregate: sum}}
"""
    )
    assert keys["sum_1h"] == alone["sum_1h"] == keys["sum_24h"] == keys["mean_2h"]
    assert keys["min_1h"] == keys["last_1h"]
    assert keys["whole"] == keys["of_cluster"]
    apart = [keys[name] for name in ("sum_1h", "sum_7d", "about_1h", "about_2h", "min_1h", "whole")]
    assert len(set(apart)) == len(apart)
    assert all(len(key) == 5 for key in keys.values())


def test_shared_state_takes_each_event_once() -> None:
    """Features that share a state read it each in its own way."""
    cost = "{entity: user, events: [request.cost_reported], value: event.cost"
    world = world_with(
        f"""
sum_1h: {cost}, aggregate: sum, window: 1h}}
sum_24h: {cost}, aggregate: sum, window: 24h}}
mean_24h: {cost}, aggregate: mean, window: 24h}}
"""
    )
    world.report_cost(request_id=1, cost=4, occurred_at=NOW_MS - 2 * 3_600_000)
    world.report_cost(request_id=2, cost=8)
    assert [world.feature(name) for name in ("sum_1h", "sum_24h", "mean_24h")] == [8, 12, 6.0]


def test_catalog_may_update_some_keys_only() -> None:
    """A catalog of some keys updates those states and no others, so that a new feature can be filled by itself."""
    policy = policy_of(
        features="""
old: {entity: user, events: [auth.signin], aggregate: count}
new: {entity: user, events: [auth.signin], aggregate: age}
"""
    )
    new = policy.catalog.features["new"].key
    catalog = policy.catalog.only({new})
    assert [feature.key for feature in catalog.plan("auth.signin")[b"u"]] == [new]
    assert catalog.plan("request.classified") == {}


def test_top_rate_and_age() -> None:
    """The most frequent value, events a second, and the seconds since the first one."""
    world = world_with(
        """
model: {entity: user, events: [request.classified], aggregate: top, value: event.model, window: 1h}
rate: {entity: user, events: [request.classified], aggregate: rate, window: 1m}
age: {entity: user, events: [request.classified], aggregate: age}
"""
    )
    for number, model in enumerate(["b", "a", "b", "", "c"]):
        world.classify(model=model, occurred_at=NOW_MS - 40_000 + number * 10_000)
    assert world.feature("model") == "b"
    assert world.feature("rate") == pytest.approx(5 / 60)
    assert world.feature("age") == 40.0
    assert world.feature("age", at=NOW_MS - 50_000) is None


def test_rules_read_the_cluster_as_one() -> None:
    """A feature of a cluster is read over the events of all whom strong links reach."""
    rule = """
- id: cluster-rate
  title: Many requests of a cluster
  signal: high_velocity
  when: cluster_models >= 2 && cluster_requests == 3
  reason: "{cluster_requests} requests"
  weight: 0.5
"""
    policy = policy_of(
        rules=rule,
        features="""
cluster_requests: {entity: cluster, events: [request.classified], aggregate: count, window: 1h}
cluster_models: {entity: cluster, events: [request.classified], aggregate: distinct, value: event.model, window: 1h}
""",
    )
    world = World(policy)
    for user in ("u1", "u2"):
        world.sign_in(user, stytch_hardware_fingerprint="device-1")
    world.classify("u2", model="a")
    world.classify("u2", model="b")
    decision = world.classify("u1", model="a")
    assert [outcome.reason for outcome in decision.rules] == ["3 requests"]


def test_where_and_matching_select() -> None:
    """``where`` says which events count; a ratio is the share of those for which ``matching`` holds."""
    world = world_with(
        """
paid: {entity: user, events: [request.cost_reported], aggregate: count, where: event.cost > 0}
share: {entity: user, events: [request.cost_reported], aggregate: ratio, matching: event.cost > 5}
"""
    )
    for number, cost in enumerate([0, 3, 6, 9]):
        world.report_cost(request_id=number + 1, cost=cost)
    assert (world.feature("paid"), world.feature("share")) == (3, 0.5)


@pytest.mark.parametrize(
    "where",
    [
        'event["max_tokens"] == 7',
        'event[?"max_tokens"].orValue(0) == 7',
        "event.?max_tokens.orValue(0) == 7",
        "event\n  .max_tokens == 7",
        '"max_tokens" in event && dyn(event)["max_tokens"] == 7',
        'event.exists(field, field == "max_tokens") && size(event) > 1',
        '[event].exists(one, "max_tokens" in one && one["max_tokens"] == 7)',
    ],
)
def test_field_is_read_however_it_is_written(where: str) -> None:
    """A field reaches the expression in whichever of CEL's ways it is named, and where the event is read as a whole."""
    said = msgspec.json.encode(where).decode()
    world = world_with(f"odd: {{entity: user, events: [request.classified], aggregate: count, where: {said}}}")
    world.classify(max_tokens=7)
    world.classify()
    assert world.feature("odd") == 1


@pytest.mark.parametrize(
    "where",
    [
        "'event.nobody' == event_type",
        "event_type == 'a' // as in event.nobody",
        "['a'].exists(event, event == event_type)",
    ],
)
def test_name_that_is_not_read_is_no_field(where: str) -> None:
    """A field in a text, in a comment or of a comprehension's own variable is none of the event's."""
    said = msgspec.json.encode(where).decode()
    features = f"odd: {{entity: user, events: [request.classified], aggregate: count, where: {said}}}"
    catalog = policy_of(features=features).catalog
    assert not {"nobody"} & set(catalog.names("request.classified"))


def test_missing_field_is_shown_at_its_spot() -> None:
    """A field that no event has is marked where it stands, in brackets too."""
    features = """
odd:
  entity: user
  events: [request.classified]
  aggregate: count
  where: event.streamed && event["max_tokns"] > 7
"""
    with pytest.raises(PolicyError) as refused:
        policy_of(features=features)
    assert refused.value.told().splitlines()[-2:] == [
        '11 |     where: event.streamed && event["max_tokns"] > 7',
        "   |                              ^^^^^^^^^^^^^^^^",
    ]


def test_condition_on_absent_field_fails_safe() -> None:
    """An event without the field that a condition reads does not count, and does not break the fold."""
    world = world_with("paid: {entity: user, events: [request.classified], aggregate: count, where: event.cost > 0}")
    world.classify()
    world.classify(cost=5)
    assert world.feature("paid") == 1


@pytest.mark.parametrize("aggregate", ["sum", "mean", "min", "max", "first", "last"])
def test_numbers_are_asked_for(aggregate: str) -> None:
    """A value that is no number is absent for whatever calculates; it breaks nothing."""
    world = world_with(
        f"""
odd: {{entity: user, events: [request.classified], aggregate: {aggregate}, value: event.abuse_classification}}
odder: {{entity: user, events: [auth.signin], aggregate: {aggregate}, value: event.cohorts}}
"""
    )
    world.sign_in(cohorts=["early"])
    for said in ("text", 5, True, None):
        world.classify(abuse_classification=said)
    assert world.feature("odd") == 5
    assert world.feature("odder") in (0, None)


def test_fractions_are_rounded_in_sums() -> None:
    """A sum takes whole numbers, so that it is the same in every order; smallest and largest keep fractions."""
    world = world_with(
        """
sum: {entity: user, events: [request.classified], aggregate: sum, value: event.latency}
max: {entity: user, events: [request.classified], aggregate: max, value: event.latency}
"""
    )
    for latency in (0.1, 0.6, 1.7):
        world.classify(latency=latency)
    assert (world.feature("sum"), world.feature("max")) == (3, 1.7)


def test_distinct_takes_any_value() -> None:
    """Distinct values may be text, numbers, lists; empty and absent ones do not count."""
    world = world_with("seen: {entity: user, events: [request.classified], aggregate: distinct, value: event.model}")
    for model in ("a", "b", "a", "", None):
        world.classify(model=model)
    assert world.feature("seen") == 2


def test_value_may_be_computed() -> None:
    """A value may be any CEL over the event."""
    world = world_with(
        """
tokens: {entity: user, events: [request.classified], aggregate: sum, value: "event.input_tokens * 2"}
types: {entity: user, events: [request.classified, auth.signin], aggregate: distinct, value: event_type}
late: {entity: user, events: [request.classified], aggregate: max, value: occurred_at}
"""
    )
    world.classify(input_tokens=5)
    world.sign_in()
    assert world.feature("tokens") == 10
    assert world.feature("types") == 2
    assert world.feature("late") == NOW_MS


def test_entity_features_follow_the_entity() -> None:
    """A feature of a network counts the users behind it, and none of another network."""
    world = world_with("users: {entity: network, events: [auth.signup], aggregate: distinct, value: identity}")
    for number in range(3):
        world.sign_up(f"u{number}", ip_address=f"192.0.2.{number}")
    world.sign_up("u9", ip_address="203.0.113.1")
    feature = world.policy.catalog.features["users"]
    counts = {feature.read(state.features, NOW_MS) for key, state in world.states.all().items() if key[:1] == b"n"}  # type: ignore[union-attr]
    assert counts == {1, 3}


def test_fingerprint_is_the_client_whoever_calls() -> None:
    """The composite that names an anonymous caller is an entity for everybody; an address alone makes none."""
    world = world_with(
        "callers: {entity: fingerprint, events: [request.classified], aggregate: distinct, value: identity}"
    )
    client = {"ip_address": "192.0.2.1", "user_agent": "curl/8"}
    for user in ("u1", "u2", None):
        world.classify(user, **client)
    world.classify("u3", ip_address="192.0.2.1")
    feature = world.policy.catalog.features["callers"]
    found = [state for key, state in world.states.all().items() if key[:1] == b"f"]
    assert [feature.read(state.features, NOW_MS) for state in found] == [3]  # type: ignore[union-attr]


def test_ja4_counts_on_its_network() -> None:
    """A browser's build on one network is an entity of its own, and so is the agent, of those who sign in."""
    world = world_with(
        "builds: {entity: network_ja4, events: [auth.signup], aggregate: distinct, value: identity}\n"
        "agents: {entity: agent, events: [auth.signup], aggregate: distinct, value: identity}"
    )
    chrome = {"ja4_digest": "t13d1516h2", "user_agent": "Mozilla/5.0"}
    for number in range(3):
        world.sign_up(f"u{number}", ip_address=f"192.0.2.{number}", **chrome)
    world.sign_up("u3", ip_address="203.0.113.1", **chrome)
    world.sign_up("u4", ip_address="203.0.113.1", ja4_digest="t13d0000h1")
    world.sign_up("u5", ja4_digest="t13d1516h2")

    def counts(name: str, letter: bytes) -> list[object]:
        feature = world.policy.catalog.features[name]
        found = [state for key, state in world.states.all().items() if key[:1] == letter]
        return sorted(feature.read(state.features, NOW_MS) for state in found)  # type: ignore[union-attr]

    assert counts("builds", b"k") == [1, 1, 3]
    assert counts("agents", b"a") == [4]


def test_stripe_amounts_can_be_summed() -> None:
    """A Stripe event's amount, customer and card are read in either layout."""
    world = world_with(
        "paid: {entity: user, events: [stripe.payment_intent.succeeded], aggregate: sum, value: event.amount}"
    )
    world.send(event("stripe.payment_intent.succeeded", kilo_user_id="u1", amount=500))
    world.send(event("stripe.payment_intent.succeeded", kilo_user_id="u1", data={"object": {"amount_received": 700}}))
    assert world.feature("paid") == 1200


@pytest.mark.parametrize(
    ("said", "message", "place"),
    [
        (
            "{entity: user, events: [stripe.charge.faild], aggregate: count}",
            "stripe.charge.faild is no known type of event; if your cloud sends it, name it in event_types",
            "events",
        ),
        (
            "{entity: user, events: [request.cost_reported], aggregate: sum, value: event.cots}",
            "none of its events has a field cots",
            "value",
        ),
        (
            "{entity: user, events: [request.classified], aggregate: ratio, matching: has(event.tools)}",
            "none of its events has a field tools",
            "matching",
        ),
    ],
)
def test_typos_are_refused(said: str, message: str, place: str) -> None:
    """A feature over an event that never comes, or over a field that it does not have, would count nothing."""
    with pytest.raises(PolicyError) as refused:
        policy_of(features=f"odd: {said}")
    assert (refused.value.message, refused.value.path) == (message, f"features.odd.{place}")
