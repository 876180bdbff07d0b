"""Spend in flight: what is let through and not reported yet counts, within bounds (decision 0014)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import Verdict
from abuse_service.decisions.decision import Decision
from abuse_service.errors import PolicyError
from abuse_service.identities.reservations import MOST_EARLY, Held, Reservations
from abuse_service.policy.policy import Policy
from abuse_service.policy.prices import Price, Prices, PriceTable
from abuse_service.testing import NOW_MS, World, event, policy_of, policy_text

ADA, BOB = b"u" + b"a" * 16, b"u" + b"b" * 16
SECONDS = 600
RULES = """
- id: limit
  title: Over the limit
  signal: limit
  when: cluster.unpaid_microdollars > 1000000 && !identity.is_paying
  reason: "{cluster.unpaid_microdollars}"
  weight: 0.5
  verdict: VERDICT
"""
HEAD = "prices: {models: {cheap: {input: 0, output: 10000000}, free: {input: 0, output: 0}}}"
REFUSING = RULES.replace("VERDICT", "SOFT_BLOCK\n  action: rate-limit")
BLOCKING = RULES.replace("VERDICT", "HARD_BLOCK\n  evidence: strong\n  action: block")
REDIRECTING = RULES.replace(
    "VERDICT", "SOFT_BLOCK\n  evidence: strong\n  action: quarantine-3\n  model_override: cheap-one"
)


def world_of(rules: str = "[]", head: str = HEAD) -> World:
    """A world whose requests cost what its small policy says."""
    return World(policy_of(rules, head=head))


def reserved(decision: Decision) -> int:
    """What a decision reserved."""
    return decision.reserved_microdollars


# the estimate


@pytest.mark.parametrize(
    ("fields", "microdollars"),
    [
        ({"requested_model": "unknown"}, 15_000),
        ({"requested_model": "unknown", "max_tokens": 100}, 1_500),
        ({"requested_model": "unknown", "max_tokens": 10**15}, 100_000),
        ({"requested_model": "unknown", "max_tokens": -1}, 15_000),
        ({"requested_model": "some-CHEAP-model"}, 10_000),
        ({"model": "cheap"}, 10_000),
        ({"requested_model": "free", "max_tokens": 10**6}, 0),
        ({"requested_model": "unknown", "max_tokens": 1, "input_tokens": 1_000}, 3_015),
        ({"requested_model": "unknown", "max_tokens": 1, "user_prompt": "x" * 160}, 135),
        ({"requested_model": "unknown", "max_tokens": 1, "user_prompt": "x" * 40_000}, 30_015),
        ({"requested_model": "unknown", "is_byok": True}, 0),
        ({"requested_model": "unknown", "is_user_byok": True}, 0),
    ],
)
def test_request_reserves_its_price(fields: dict[str, Any], microdollars: int) -> None:
    """What a request reserves is the price of its tokens: those it sends and at most generates, within a cap."""
    assert reserved(world_of().classify(**fields)) == microdollars


def test_own_history_raises_the_estimate() -> None:
    """Whose requests cost more than the table says reserves what they cost on average; never less than the table."""
    world = world_of()
    for number, cost in enumerate((60_000, 20_000)):
        world.report_cost(request_id=100 + number, cost=cost)
    assert reserved(world.classify()) == 40_000
    assert reserved(world.classify(max_tokens=4_000)) == 60_000
    assert reserved(world.classify("u2")) == 15_000


def test_limits_are_thresholds_of_the_policy() -> None:
    """Cap, time-out and the tokens of a request that names none are named thresholds."""
    head = "thresholds: {reservation_seconds: 5, reservation_most_microdollars: 700, reservation_output_tokens: 10}"
    world = world_of(head=head)
    decision = world.classify()
    assert (reserved(decision), decision.reserved_until_ms) == (150, NOW_MS + 5_000)
    assert reserved(world.classify(max_tokens=10**6)) == 700


@pytest.mark.parametrize(
    ("head", "place"),
    [
        ("thresholds: {reservation_seconds: 0}", "thresholds.reservation_seconds"),
        ("thresholds: {reservation_most_microdollars: -1}", "thresholds.reservation_most_microdollars"),
        ("prices: {default: {input: -1, output: 0}}", "prices.default"),
        ("prices: {models: {Opus: {input: 1, output: 1}}}", "prices.models.Opus"),
        ('prices: {models: {"": {input: 1, output: 1}}}', "prices.models."),
    ],
)
def test_senseless_prices_are_refused(head: str, place: str) -> None:
    """Prices and limits that make no sense are refused at their place."""
    with pytest.raises(PolicyError) as refused:
        Policy(policy_text(head=head))
    assert refused.value.path == place


def test_first_price_that_fits_counts() -> None:
    """Of several parts that a model's name holds the first in the policy names the price."""
    table = PriceTable(Prices(models={"flash": Price(input=0, output=1), "gem": Price(input=0, output=2)}), {})
    assert (table.price_of("gem-flash").output, table.price_of("gem-big").output) == (1, 2)


# who reserves


@pytest.mark.parametrize(
    ("rules", "verdict", "microdollars"),
    [
        (REFUSING, Verdict.SOFT_BLOCK, 0),
        (BLOCKING, Verdict.HARD_BLOCK, 0),
        (REDIRECTING, Verdict.SOFT_BLOCK, 10_000),
    ],
)
def test_verdict_says_what_is_reserved(rules: str, verdict: Verdict, microdollars: int) -> None:
    """A refused request reserves nothing, a redirected one the price of the model that it gets."""
    world = world_of(rules)
    world.report_cost(request_id=99, cost=2_000_000)
    decision = world.classify()
    assert (decision.verdict, reserved(decision)) == (verdict, microdollars)


def test_unenforced_request_reserves() -> None:
    """With enforcement off the request is served, so it reserves."""
    world = world_of(BLOCKING)
    world.report_cost(request_id=99, cost=2_000_000)
    world.is_enforced = False
    assert reserved(world.classify()) == 100_000


def test_sign_in_reserves_nothing() -> None:
    """Only requests cost anything."""
    world = world_of()
    world.sign_in()
    assert len(world.projection.reservations) == 0


# while it is open


def test_report_frees_its_own() -> None:
    """A cost report frees what its request reserved, once, and no other's."""
    world = world_of()
    first, second = world.classify(), world.classify()
    open_ = world.projection.reservations
    assert len(open_) == 2
    for message_id in ("m1", "m2"):
        world.report_cost(request_id=first.request_id, message_id=message_id, cost=1)
    assert len(open_) == 1
    world.report_cost("u2", request_id=second.request_id, cost=1)
    assert (len(open_), open_.of(world.namer.identity("user:u1"))) == (0, 0)


@given(st.permutations([(number, what) for number in range(4) for what in ("decision", "report")]), st.integers(0, 7))
def test_order_opens_nothing(order: list[tuple[int, str]], image_at: int) -> None:
    """Whether a report or its decision is told first, and whenever an image is taken: in the end nothing is open."""
    open_ = Reservations()
    for place, (number, what) in enumerate(order):
        if what == "decision":
            open_.reserve(number, ADA, 10, NOW_MS)
        else:
            open_.release(number)
        if place == image_at:
            again = Reservations()
            again.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(open_.held()), type=Held))
            open_ = again
    assert open_.held() == Held()


def test_report_before_its_decision_frees() -> None:
    """A log in which a report stands before the decision, as after a full disk, leaves nothing open when told again."""
    world = world_of()
    decision = world.classify()
    world.report_cost(request_id=decision.request_id, cost=5)
    assert len(world.projection.reservations) == 0
    world.log.events.reverse()
    assert len(world.retold().projection.reservations) == 0


@pytest.mark.parametrize(("later_ms", "is_open"), [(SECONDS * 1000 - 1, True), (SECONDS * 1000, False)])
def test_time_out_frees(later_ms: int, is_open: bool) -> None:
    """What nobody reports is free after the time-out, by event time."""
    world = world_of()
    world.classify(at=NOW_MS)
    world.classify("u2", at=NOW_MS + later_ms)
    assert (world.projection.reservations.of(world.namer.identity("user:u1")) > 0) is is_open


def test_rules_read_what_is_reserved() -> None:
    """A rule reads what the identity has reserved, and its cluster's unpaid use holds it for all unpaid members."""
    rules = REFUSING + REFUSING.replace("id: limit", "id: own").replace(
        "cluster.unpaid_micro", "identity.reserved_micro"
    )
    world = world_of(rules)
    for user in ("u1", "u2", "u3"):
        world.sign_in(user, email=f"{user}@example.com", stytch_hardware_fingerprint="device 1")
    world.send(event("billing.credit_purchased", kilo_user_id="u3", microdollars_acquired=5, is_free=False))
    for user in ("u1", "u2", "u3"):
        world.classify(user)
    values = world.classify("u1").values
    assert values["identity.reserved_microdollars"] == 15_000
    assert values["cluster.unpaid_microdollars"] == 30_000


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 200_000), st.booleans())
def test_parallel_requests_stay_within_the_bound(parallel: int, cost: int, is_linked: bool) -> None:
    """However many requests are in flight at once, what is let through exceeds the limit by one estimate at most."""
    world = world_of(REFUSING)
    users = ("u1", "u2") if is_linked else ("u1",)
    for user in users:
        world.sign_in(user, email=f"{user}@example.com", stytch_hardware_fingerprint="device 1")
    world.report_cost(request_id=10**6, cost=cost)
    decisions = [world.classify(users[number % len(users)], max_tokens=6_000) for number in range(parallel)]
    promised = [reserved(decision) for decision in decisions if decision.verdict is Verdict.ALLOW]
    assert cost + sum(promised) <= 1_000_000 + max(promised, default=0)


# the bounds of memory


def test_oldest_is_dropped_at_the_bound() -> None:
    """More than the bound are never held: the oldest goes and is counted."""
    open_ = Reservations(most_open=3)
    for request_id in range(1, 6):
        open_.reserve(request_id, ADA if request_id < 3 else BOB, 10, NOW_MS)
    assert (len(open_), open_.dropped, open_.of(ADA), open_.of(BOB)) == (3, 2, 0, 30)


def test_early_reports_are_bounded() -> None:
    """Of the reports for which nothing was open the newest are remembered, no more than the bound."""
    open_ = Reservations()
    for request_id in range(MOST_EARLY + 1):
        open_.release(request_id)
    assert len(open_.held().early) == MOST_EARLY
    open_.reserve(0, ADA, 10, NOW_MS)
    open_.reserve(1, ADA, 10, NOW_MS)
    assert open_.of(ADA) == 10


def test_nothing_is_left_behind() -> None:
    """When all is freed nothing of it stays in memory but the seconds that are still to come."""
    open_ = Reservations()
    for request_id in range(1, 5_001):
        open_.reserve(request_id, request_id.to_bytes(17, "big"), 1, NOW_MS + request_id)
        open_.release(request_id)
    assert (len(open_), open_._totals, len(open_._ending)) == (0, {}, 5)
    open_.pass_to(NOW_MS + 6_000)
    assert (open_._ending, open_._seconds, open_.expired) == ({}, [], 0)


STEP = st.tuples(
    st.sampled_from(["reserve", "release", "pass"]), st.integers(1, 12), st.sampled_from([ADA, BOB]), st.integers(0, 9)
)


@given(st.lists(STEP, max_size=60), st.integers(0, 60))
def test_totals_are_the_sum_of_what_is_open(steps: list[tuple[str, int, bytes, int]], image_at: int) -> None:
    """At any time an identity's total is the sum of its open entries, and an image brings back the same."""
    open_, said, now = Reservations(), dict[int, tuple[bytes, int, int]](), 0
    early: set[int] = set()
    for number, (what, request_id, entity, second) in enumerate(steps):
        if what == "reserve" and second > now and request_id not in said and request_id not in early:
            said[request_id] = (entity, request_id, second)
        if what == "reserve":
            early.discard(request_id)
            open_.reserve(request_id, entity, request_id, second * 1000)
        elif what == "release":
            open_.release(request_id)
            if said.pop(request_id, None) is None:
                early.add(request_id)
        else:
            open_.pass_to(second * 1000)
            now = max(now, second)
            said = {key: entry for key, entry in said.items() if entry[2] > now}
        if number == image_at:
            again = Reservations()
            again.restore(open_.held())
            open_ = again
        assert len(open_) == len(said)
        for one in (ADA, BOB):
            assert open_.of(one) == sum(amount for owner, amount, _ in said.values() if owner == one)


# told again


def test_log_tells_what_is_open() -> None:
    """Told the same log again, the same is open: reported, timed out and refused requests left out."""
    world = world_of()
    world.classify("old", at=NOW_MS - SECONDS * 1000)
    decisions = [world.classify(at=NOW_MS + number) for number in range(4)]
    world.report_cost(request_id=decisions[1].request_id, cost=5)
    assert world.retold().projection.reservations.held() == world.projection.reservations.held()
    assert len(world.projection.reservations.held().entries) == 3


def test_empty_image_holds_nothing() -> None:
    """An image from before reservations holds none."""
    open_ = Reservations()
    open_.restore(Held())
    assert (len(open_), open_.of(ADA)) == (0, 0)
