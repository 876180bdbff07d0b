"""Decisions: what the rules say becomes a verdict, an action and an explanation."""

import json

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import ResolvedAction, Verdict, json_schema
from abuse_service.decisions.answer import auth_answer, classification, failed_classification
from abuse_service.decisions.cluster import MOST_MEMBERS, find_cluster
from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.testing import NOW_MS, World, entity_of, event, policy_of, stripe_event

BLOCKED = event("user.blocked", NOW_MS - 10, kilo_user_id="u1")
UNBLOCKED = event("user.unblocked", NOW_MS - 5, kilo_user_id="u1")
HOUR_MS = 3_600_000


def rule_text(name: str, when: str = "true", weight: float = 0.5, beside: str = "") -> str:
    """A rule under a name."""
    return f"""
- id: {name}
  title: Rule {name}
  signal: {name}
  when: "{when}"
  reason: "{name} says {{requests_1m}}"
  weight: {weight}
{beside}
"""


CHALLENGING = "  verdict: CHALLENGE\n  action: log\n  challenge_type: turnstile"
THROTTLING = (
    "  evidence: strong\n  verdict: SOFT_BLOCK\n  action: quarantine-2\n"
    "  model_override: auto-free\n  retry_after_seconds: 9"
)
BLOCKING = "  evidence: strong\n  verdict: HARD_BLOCK\n  action: block"


def decided(*rules: str, head: str = "") -> Decision:
    """The decision on one request under these rules."""
    return World(policy_of("".join(rules) or "[]", head=head)).classify()


# verdict and action


def test_no_rule_says_null() -> None:
    """Where no rule had a say and nothing was in force, the action is null, the reason says so."""
    decision = World().classify()
    assert (decision.verdict, decision.action, decision.risk_score) == (Verdict.ALLOW, None, 0.0)
    assert decision.reasons == ("no rule had a say",)


def test_lifted_action_says_nothing() -> None:
    """An answer that lifts an action says ``nothing``, and goes on saying so: null would keep the old one in force."""
    world = World()
    world.send(BLOCKED)
    assert world.classify().action is ResolvedAction.BLOCK
    world.send(UNBLOCKED)
    assert [world.classify().action for _ in range(30)] == [ResolvedAction.NOTHING] * 30


def test_mere_weight_says_log() -> None:
    """Evidence that only weighs allows and asks to log."""
    decision = decided(rule_text("light", weight=0.3))
    assert (decision.verdict, decision.action, decision.signals) == (Verdict.ALLOW, ResolvedAction.LOG, ("light",))


def test_allowing_rule_names_its_action() -> None:
    """A rule that allows with an action of its own has it said."""
    assert decided(rule_text("silent", beside="  action: nothing")).action is ResolvedAction.NOTHING


def test_weights_challenge_at_most() -> None:
    """Weak evidence adds up to a challenge, however much of it there is, and never to more."""
    decision = decided(*(rule_text(f"r{number}", weight=0.9) for number in range(5)))
    assert (decision.verdict, decision.action) == (Verdict.CHALLENGE, ResolvedAction.LOG)
    assert (decision.challenge_type, decision.risk_score) == ("turnstile", 1.0)


@pytest.mark.parametrize(("second", "verdict"), [(0.19, Verdict.ALLOW), (0.2, Verdict.CHALLENGE)])
def test_challenge_begins_at_its_threshold(second: float, verdict: Verdict) -> None:
    """The threshold of the policy is where evidence that only weighs begins to challenge."""
    assert decided(rule_text("a", weight=0.5), rule_text("b", weight=second)).verdict is verdict


def test_evidence_combines_as_independent() -> None:
    """The risk is one minus what each rule leaves open, and the gravest verdict leads."""
    decision = decided(
        rule_text("weighty", weight=0.9), rule_text("b", weight=0.5, beside=THROTTLING), rule_text("c", weight=0.1)
    )
    assert decision.risk_score == 0.955
    assert (decision.verdict, decision.action) == (Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_2)
    assert (decision.model_override, decision.retry_after_seconds) == ("auto-free", 9)
    assert decision.reasons == ("b says 1", "weighty says 1", "c says 1")


@pytest.mark.parametrize(
    ("beside", "verdict", "action"),
    [
        (CHALLENGING, Verdict.CHALLENGE, ResolvedAction.LOG),
        (THROTTLING, Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_2),
        (BLOCKING, Verdict.HARD_BLOCK, ResolvedAction.BLOCK),
    ],
)
def test_verdict_and_action_go_together(beside: str, verdict: Verdict, action: ResolvedAction) -> None:
    """The leading rule names verdict and action, and what goes with another verdict is not said."""
    decision = decided(rule_text("lead", beside=beside), rule_text("light", weight=0.01))
    assert (decision.verdict, decision.action) == (verdict, action)
    assert (decision.challenge_type is not None) == (verdict is Verdict.CHALLENGE)
    assert (decision.model_override is not None) == (verdict is Verdict.SOFT_BLOCK)


def test_shadow_rule_changes_nothing() -> None:
    """A rule in shadow is recorded with what it would have said, and neither verdict, risk nor signals know of it."""
    decision = decided(rule_text("new", beside=BLOCKING + "\n  mode: shadow"))
    assert (decision.verdict, decision.action, decision.risk_score, decision.signals) == (Verdict.ALLOW, None, 0.0, ())
    [outcome] = decision.rules
    assert (outcome.state, outcome.verdict) == (RuleState.SHADOW, Verdict.HARD_BLOCK)
    engine = classification(decision).rules_engine
    assert engine is not None
    assert [(match["id"], match["mode"]) for match in engine.matches] == [("new", "shadow")]
    assert engine.matched_abuse_rule_ids == []


def test_unknown_value_abstains() -> None:
    """A rule that reads a value nobody knows abstains, is recorded so, and does not weigh."""
    largest = "largest: {entity: user, events: [request.classified], aggregate: max, value: event.max_tokens}"
    world = World(policy_of(rule_text("cap", "largest > 5.0", beside=BLOCKING), features=largest))
    decision = world.classify()
    assert [outcome.state for outcome in decision.rules] == [RuleState.ABSTAINED]
    assert (decision.verdict, decision.risk_score) == (Verdict.ALLOW, 0.0)
    assert world.classify(max_tokens=6).verdict is Verdict.HARD_BLOCK


def test_unknown_value_of_an_entity_abstains() -> None:
    """It is the same for the largest value of an address that nothing is known of."""
    largest = "largest: {entity: ip, events: [request.classified], aggregate: max, value: event.max_tokens}"
    world = World(policy_of(rule_text("cap", "largest < 5.0", beside=BLOCKING), features=largest))
    assert world.classify(ip_address="192.0.2.1").verdict is Verdict.ALLOW
    assert world.classify(ip_address="192.0.2.1", max_tokens=1).verdict is Verdict.HARD_BLOCK


# the switch


def test_switch_allows_and_says_what_would_be() -> None:
    """With enforcement off every verdict is ALLOW, what the rules said stands beside it, and actions are lifted."""
    world = World()
    world.send(BLOCKED)
    world.is_enforced = False
    decision = world.classify()
    assert (decision.verdict, decision.would_be, decision.is_enforced) == (Verdict.ALLOW, Verdict.HARD_BLOCK, False)
    assert decision.action is ResolvedAction.NOTHING
    assert (decision.challenge_type, decision.model_override, decision.retry_after_seconds) == (None, None, None)
    assert decision.signals == ("known_abuser",)


@pytest.mark.parametrize("beside", [CHALLENGING, THROTTLING, BLOCKING, ""])
def test_switch_leaves_no_action(beside: str) -> None:
    """Whatever the rules say, with enforcement off no gateway is asked to act."""
    world = World(policy_of(rule_text("one", weight=0.9, beside=beside)))
    world.is_enforced = False
    decision = world.classify()
    assert decision.verdict is Verdict.ALLOW
    assert decision.action in (ResolvedAction.NOTHING, ResolvedAction.LOG)


def test_enforced_decision_would_be_nothing_else() -> None:
    """With enforcement on there is no other verdict that would be."""
    assert decided(rule_text("one", beside=BLOCKING)).would_be is None


# trust


def test_trusted_identity_is_spared() -> None:
    """An identity in the policy's list of trusted ones is known as such to the rules."""
    head = 'lists: {trusted_identities: ["user:u1"]}'
    world = World(policy_of(rule_text("all", "!identity.is_trusted", beside=BLOCKING), head=head))
    assert (world.classify("u1").verdict, world.classify("u2").verdict) == (Verdict.ALLOW, Verdict.HARD_BLOCK)


@pytest.mark.parametrize("field", ["is_bot", "is_admin"])
def test_declared_bots_and_admins_are_trusted(field: str) -> None:
    """Bots and administrators that the cloud declares are trusted, until it says otherwise."""
    world = World(policy_of(rule_text("all", "!identity.is_trusted", beside=BLOCKING)))
    world.sign_in(**{field: True}, occurred_at=NOW_MS - 10)
    assert world.classify().verdict is Verdict.ALLOW
    world.sign_in(**{field: False}, occurred_at=NOW_MS - 5)
    assert world.classify().verdict is Verdict.HARD_BLOCK


# the cluster


def chain(world: World, length: int) -> None:
    """Users u0, u1, … each of whom shares a device with the next."""
    for number in range(length):
        for device in (number, number + 1):
            world.sign_in(f"u{number}", email=f"e{number}@example.com", stytch_hardware_fingerprint=f"device {device}")


def members(world: World, user: str = "u0") -> set[bytes]:
    """The members of a user's cluster."""
    state = world.identity(f"user:{user}")
    return set(find_cluster(world.projection, entity_of(world, user), state, world.judge.degrees).members)


def test_cluster_is_two_strong_hops() -> None:
    """A cluster is what two strong links reach, and no further."""
    world = World()
    chain(world, 6)
    assert members(world) == {entity_of(world, user) for user in ("u0", "u1", "u2")}
    assert members(world, "u3") == {entity_of(world, f"u{number}") for number in range(1, 6)}


@pytest.mark.parametrize(
    ("fields", "is_linked"),
    [
        ({"stytch_hardware_fingerprint": "device-1"}, True),
        ({"email": "same+x@example.com"}, True),
        ({"stripe_customer_id": "cus_1"}, True),
        ({"ip_address": "192.0.2.1"}, False),
        ({"ja4_digest": "t13d"}, False),
        ({"user_agent": "curl/8"}, False),
        ({"org_memberships": [{"organization_id": "o1"}]}, False),
    ],
)
def test_only_strong_kinds_link(fields: dict[str, object], is_linked: bool) -> None:
    """A device, a mailbox or a customer in common links two users; an address or an organization does not."""
    world = World()
    for user in ("u0", "u1"):
        world.sign_in(user, **{"email": f"{user}@example.com"} | fields)
    assert len(members(world)) == (2 if is_linked else 1)


def test_card_links() -> None:
    """A card in common links two users."""
    world = World()
    for user in ("u0", "u1"):
        card = {"id": f"pm_{user}", "card": {"fingerprint": "fp_1"}}
        world.send(stripe_event("stripe.payment_method.attached", card, kilo_user_id=user))
    assert len(members(world)) == 2


MARKERS = ["", " ", "unknown", "Unknown", "null", "NONE", "undefined", "0", "N/A", "not available"]
ZEROS = ["0" * 32, "00000000-0000-0000-0000-000000000000", "ffffffff", "--"]


@pytest.mark.parametrize("marker", [*MARKERS, *ZEROS])
def test_markers_never_link(marker: str) -> None:
    """What a sender writes where there is no device links nobody."""
    world = World()
    for user in ("u0", "u1"):
        world.sign_in(user, email=f"{user}@example.com", stytch_hardware_fingerprint=marker)
    assert len(members(world)) == 1


def test_cluster_is_bounded() -> None:
    """A cluster has 256 members at most, however many share how many devices."""
    world = World()
    for number in range(400):
        for device in ("device-1", "device-2") if number == 0 else (f"device-{number % 2 + 1}",):
            world.sign_in(f"u{number}", email=f"e{number}@example.com", stytch_hardware_fingerprint=device)
    assert len(members(world)) == MOST_MEMBERS == 256


def test_crowded_device_spares_nobody() -> None:
    """A device that too many share links nobody, yet each account on it is challenged, the last as the first."""
    world = World()
    for number in range(300):
        about = {"email": f"e{number}@example.com", "stytch_hardware_fingerprint": "device-1"}
        world.sign_in(f"u{number}", at=NOW_MS - 1000 + number, **about)
    decisions = [world.classify(user) for user in ("u0", "u299")]
    assert [decision.values["device.users"] for decision in decisions] == [256, 256]
    assert [decision.verdict for decision in decisions] == [Verdict.CHALLENGE, Verdict.CHALLENGE]


def test_blocked_counts_one_hop_away() -> None:
    """A blocked account weighs on those who share a device with it, not on theirs."""
    world = World()
    chain(world, 4)
    world.send(event("user.blocked", kilo_user_id="u0"))
    decisions = [world.classify(f"u{number}") for number in range(4)]
    assert [decision.values["cluster.blocked"] for decision in decisions] == [0, 1, 0, 0]
    assert ["known_abuser" in decision.signals for decision in decisions] == [True, True, False, False]


def test_decision_names_whom_it_counted() -> None:
    """A decision records the linked identities that it counted, the asking one left out."""
    world = World()
    chain(world, 2)
    assert world.classify("u0").cluster == (entity_of(world, "u1").hex(),)
    assert World().classify("alone").cluster == ()


def test_swarm_is_caught_as_one() -> None:
    """Accounts that each stay under the free limit, on one device, are over it together; who paid is not counted."""
    world = World()
    for number in range(3):
        world.sign_in(f"u{number}", email=f"e{number}@example.com", stytch_hardware_fingerprint=f"device-{number // 2}")
        world.report_cost(f"u{number}", request_id=number + 1, cost=600_000)
    values = {number: world.classify(f"u{number}").values["cluster.unpaid_microdollars"] for number in range(3)}
    assert values == {0: 1_200_000, 1: 1_200_000, 2: 600_000}
    world.send(event("billing.credit_purchased", kilo_user_id="u1", microdollars_acquired=1, is_free=False))
    assert world.classify("u0").values["cluster.unpaid_microdollars"] == 600_000


# what is recorded and answered


def test_decision_without_reasons_fails() -> None:
    """A decision without a reason can't be built."""
    about = {"request_id": 1, "decided_at_ms": NOW_MS, "identity_key": "user:u1", "policy_version": "v", "position": 1}
    with pytest.raises(ValueError, match="without a reason"):
        Decision(**about, verdict=Verdict.ALLOW, risk_score=0.0, reasons=())  # type: ignore[arg-type]


def test_decision_records_what_it_read() -> None:
    """A decision names its policy, its position in the log, and each value that it was made from."""
    world = World()
    world.send(BLOCKED)
    decision = world.classify()
    assert (decision.policy_version, decision.position) == (world.policy.version, 1)
    [outcome] = decision.rules
    assert outcome.values == {"identity.is_blocked": True}
    assert decision.values.keys() < world.policy.reads
    assert decision.values.items() > outcome.values.items()


def test_value_that_decides_nothing_is_not_read() -> None:
    """Of a condition the cheapest parts are read first, and the others only where those leave it open."""
    busy = "busy: {entity: user, events: [request.classified], aggregate: count, window: 1h}"
    world = World(policy_of(rule_text("busy", "busy > 5 && identity.is_paying"), features=busy))
    unpaid = world.classify().values
    assert unpaid["identity.is_paying"] is False
    assert "busy" not in unpaid
    world.send(event("billing.credit_purchased", kilo_user_id="u1", microdollars_acquired=1, is_free=False))
    assert world.classify().values["busy"] == 2


def test_decision_is_read_back_equal() -> None:
    """A decision is the same after it was written to the log."""
    world = World()
    world.send(BLOCKED)
    decision = world.classify(max_tokens=50_000, user_agent="curl/8", ip_address="198.51.100.7")
    kept = world.log.events[-1].outcome or b""
    assert msgspec.json.decode(kept, type=Decision) == decision


def test_context_tells_spend_and_age() -> None:
    """The context says the cost of the last hour in USD, whether the user is new, and requests a second."""
    world = World()
    world.report_cost(cost=1_500_000, occurred_at=NOW_MS - HOUR_MS // 2)
    world.report_cost(cost=9_000_000, occurred_at=NOW_MS - 2 * HOUR_MS, request_id=2)
    for _ in range(5):
        world.classify()
    context = classification(world.classify()).context
    assert (context.current_spend_1h, context.requests_per_second, context.is_new_user) == (1.5, 0.1, False)
    assert classification(World().classify("new")).context.is_new_user


CLASSIFICATION = jsonschema.Draft202012Validator(json_schema("Classification"))
AUTH_ANSWER = jsonschema.Draft202012Validator(json_schema("AuthEventAnswer"))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([CHALLENGING, THROTTLING, BLOCKING, ""]), st.integers(0, 100), st.booleans())
def test_answer_keeps_the_schema(beside: str, percent: int, is_enforced: bool) -> None:
    """Every answer has the fields of the contract, whatever was decided, and one more where enforcement is off."""
    world = World(policy_of(rule_text("one", weight=percent / 100, beside=beside)))
    world.is_enforced = is_enforced
    decision = world.classify()
    answer = json.loads(msgspec.json.encode(classification(decision)))
    CLASSIFICATION.validate(answer)
    AUTH_ANSWER.validate(json.loads(msgspec.json.encode(auth_answer(decision))))
    assert answer.keys() == {
        "verdict", "risk_score", "signals", "action_metadata", "context", "request_id", "rules_engine",
    }  # fmt: skip
    context = {"identity_key", "current_spend_1h", "is_new_user", "requests_per_second"}
    assert answer["context"].keys() == context | (set() if is_enforced else {"is_enforced"})
    assert answer["rules_engine"].keys() == {"matches", "sus_score", "resolved_action", "matched_abuse_rule_ids"}
    assert answer["rules_engine"]["matched_abuse_rule_ids"] == ["one"]


def test_failed_answer_has_no_rules_engine() -> None:
    """When classifying failed the answer is ALLOW with id 0 and a context, and no ``rules_engine`` that would lift."""
    answer = json.loads(msgspec.json.encode(failed_classification("user:u1")))
    CLASSIFICATION.validate(answer)
    assert (answer["verdict"], answer["request_id"], answer["context"]["identity_key"]) == ("ALLOW", 0, "user:u1")
    assert "rules_engine" not in answer


def test_null_action_is_on_the_wire() -> None:
    """An action of null is written out: absent would be read as something else."""
    answer = json.loads(msgspec.json.encode(classification(World().classify())))
    assert answer["rules_engine"] == {
        "matches": [], "sus_score": 0.0, "resolved_action": None, "matched_abuse_rule_ids": [],
    }  # fmt: skip


def test_newcomer_harms_nobody_by_mailbox() -> None:
    """Who signs up with a spelling of somebody's mailbox is judged with him, and he is not judged with the other."""
    world = World()
    world.sign_in("jane", at=NOW_MS - 1000, email="jane.doe@gmail.com")
    world.sign_in("mallory", at=NOW_MS, email="j.a.n.e.d.o.e+x@googlemail.com")
    world.report_cost("mallory", request_id=100, cost=1_500_000)
    hers = world.classify("jane")
    assert hers.values["cluster.unpaid_microdollars"] == 0
    his = world.classify("mallory").values["cluster.unpaid_microdollars"]
    assert his == 1_500_000 + hers.reserved_microdollars
    world.send(event("user.blocked", kilo_user_id="jane"))
    assert world.classify("mallory").values["cluster.blocked"] == 1


def test_trust_lowers_the_risk_and_says_so() -> None:
    """A reason to trust takes its share of the risk, is recorded with what it read, and spares from a challenge."""
    trusting = "trust: [{id: tested, title: tested before, when: identity.age_days >= 0.0, weight: 0.5}]"
    rules = "".join(rule_text(f"r{number}", weight=0.9) for number in range(2))
    decision = World(policy_of(rules, head=trusting)).classify()
    assert (decision.verdict, decision.risk_score) == (Verdict.ALLOW, 0.495)
    [trust] = decision.trust
    assert (trust.trust_id, trust.share, trust.values) == ("tested", -0.495, {"identity.age_days": 0.0})
    assert sum(outcome.share for outcome in decision.rules) + trust.share == pytest.approx(decision.risk_score)


def test_abstaining_rule_says_why() -> None:
    """A rule that could not be told names what was unknown."""
    largest = "largest: {entity: user, events: [request.classified], aggregate: max, value: event.max_tokens}"
    [outcome] = World(policy_of(rule_text("cap", "largest > 5.0"), features=largest)).classify().rules
    assert (outcome.state, outcome.why_abstained) == (RuleState.ABSTAINED, "largest is unknown")


@pytest.mark.parametrize("part", ["cluster", "identity.age_days", "requests_1m"])
def test_failing_part_degrades_the_decision(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that fails is named, the rules that read it abstain, and the others decide."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    rules = rule_text("old", "identity.age_days > -1.0 && requests_1m > 0") + rule_text("all")
    world = World(policy_of(rules))
    if part == "cluster":
        monkeypatch.setattr("abuse_service.decisions.judge.find_cluster", fail)
    elif part == "requests_1m":
        monkeypatch.setattr(world.judge._readers.features[part], "read", fail)
    else:
        _, kind, fitting = world.judge._readers.by_name[part]
        monkeypatch.setitem(world.judge._readers.by_name, part, (fail, kind, fitting))
    decision = world.classify()
    assert decision.degraded == (part,)
    states = {outcome.rule_id: outcome.state for outcome in decision.rules}
    assert states["all"] is RuleState.FIRED
    assert states["old"] is (RuleState.FIRED if part == "cluster" else RuleState.ABSTAINED)


def test_stronger_action_leads() -> None:
    """Of two rules with one verdict the one with the stronger action leads, whatever they weigh."""
    beside = "  evidence: strong\n  verdict: SOFT_BLOCK\n  action: "
    heavy, strong = (
        rule_text(name, weight=weight, beside=beside + action)
        for name, weight, action in (("heavy", 0.9, "quarantine-1"), ("strong", 0.1, "quarantine-3"))
    )
    assert decided(heavy, strong).action is ResolvedAction.QUARANTINE_3


def test_request_is_judged_with_its_owners_links() -> None:
    """A feature of an entity that a request does not name is read over those that its identity is linked to."""
    signups = "by_domain: {entity: email_domain, events: [auth.signup], aggregate: distinct, value: identity}"
    world = World(policy_of(rule_text("many", "by_domain >= 2"), features=signups))
    for user in ("u1", "u2"):
        world.sign_up(user, email=f"{user}@example.org")
    assert [outcome.rule_id for outcome in world.classify("u1").rules] == ["many"]
