"""Policies: what a file may say, and how it is refused where it does not hold together."""

import json
from pathlib import Path

import pytest

from abuse_client.contract import ResolvedAction, Verdict
from abuse_service.cel.program import Kind
from abuse_service.cel.values import CelError
from abuse_service.decisions.values import READERS
from abuse_service.errors import PolicyError
from abuse_service.policy.document import Case
from abuse_service.policy.policy import DEFAULT_POLICY, Policy, Rule, load_policy
from abuse_service.policy.vocabulary import FACTS, REQUIRED_FEATURES
from abuse_service.testing import policy_of, policy_text

DEFAULT = load_policy(None)
THRESHOLD = "thresholds: {a: 1}"
CASES = [
    pytest.param(rule, case, id=f"{rule.text.id}: {case.name}") for rule in DEFAULT.rules for case in rule.text.cases
]


def rule_text(when: str = "identity.is_blocked", beside: str = "", cases: str = "[]") -> str:
    """A rule that only weighs, with what else is said of it."""
    return f"""
- id: one
  title: One rule
  signal: one
  when: {when}
  reason: because
  weight: 0.5
  cases: {cases}
{beside}
"""


def told(policy: Policy, given: dict[str, object]) -> list[bool | None]:
    """Whether each rule's condition holds, ``None`` where it can't be told."""
    rules, _ = policy.evaluate(given)
    return [None if isinstance(found, CelError) else found for found in rules]


def refusal(rules: str = "[]", features: str = "", head: str = "") -> tuple[str | None, str]:
    """Place and message with which a policy is refused."""
    with pytest.raises(PolicyError) as refused:
        policy_of(rules, features, head)
    return refused.value.path, refused.value.message


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_shipped_rule_keeps_its_case(rule: Rule, case: Case) -> None:
    """Each shipped rule fires where its case says so and stays silent where it says so: the opposite is refused."""
    turned = f"      - {{name: turned round, given: {json.dumps(case.given)}, fires: {json.dumps(not case.fires)}}}\n"
    before, name, after = DEFAULT_POLICY.read_text().partition(f"  - id: {rule.text.id}\n")
    with pytest.raises(PolicyError) as refused:
        Policy(before + name + after.replace("    cases:\n", "    cases:\n" + turned, 1))
    assert refused.value.path == f"rules[{DEFAULT.rules.index(rule)}].cases.turned round"


def test_shipped_rules_have_both_cases() -> None:
    """Each shipped rule shows at least one case in which it fires and one in which it stays silent."""
    outcomes = {rule.text.id: {case.fires for case in rule.text.cases} for rule in DEFAULT.rules}
    assert {name for name, fires in outcomes.items() if fires != {True, False}} == set()


def test_six_signals_are_shipped() -> None:
    """The shipped policy raises the six signals that every client knows."""
    known = {"high_velocity", "free_tier_exhausted", "premium_harvester", "suspicious_fingerprint"}
    known |= {"datacenter_ip", "known_abuser"}
    assert known <= {rule.text.signal for rule in DEFAULT.rules}


def test_hard_actions_need_confirmed_evidence() -> None:
    """Nothing but a block or payment fraud blocks hard in the shipped policy, and only weights come without verdict."""
    hard = {rule.text.id for rule in DEFAULT.rules if rule.text.verdict is Verdict.HARD_BLOCK}
    assert hard == {"blocked-by-cloud", "confirmed-payment-fraud", "listed-as-blocked"}


def test_every_fact_has_a_reader() -> None:
    """Vocabulary and readers name the same facts."""
    assert READERS.keys() == FACTS.keys()


def test_every_rule_spares_the_trusted() -> None:
    """Each shipped rule spares the trusted or only weighs, but for blocks by people, which nobody overrules."""
    assert {
        rule.text.id
        for rule in DEFAULT.rules
        if "identity.is_trusted" not in rule.reads and rule.text.verdict is not Verdict.ALLOW
    } == {"blocked-by-cloud", "listed-as-blocked"}


# laws, with the exact texts that an author reads


@pytest.mark.parametrize(
    ("beside", "place", "message"),
    [
        ("  verdict: HARD_BLOCK", "action", "HARD_BLOCK goes with one of: block"),
        ("  verdict: SOFT_BLOCK\n  action: block", "action",
         "SOFT_BLOCK goes with one of: rate-limit, quarantine-1, quarantine-2, quarantine-3"),
        ("  verdict: CHALLENGE\n  action: block", "action",
         "CHALLENGE goes with one of: log, rate-limit, quarantine-1"),
        ("  action: block", "action", "ALLOW goes with one of: none, nothing, log"),
        ("  verdict: CHALLENGE\n  action: log", "challenge_type", "CHALLENGE needs a challenge_type"),
        ("  challenge_type: turnstile", "challenge_type", "only CHALLENGE has a challenge_type"),
        ("  model_override: auto-free", "model_override", "only SOFT_BLOCK has a model_override"),
        ("  retry_after_seconds: 60", "retry_after_seconds", "expected 1 or more, beside a verdict other than ALLOW"),
    ],
)  # fmt: skip
def test_verdict_and_action_agree(beside: str, place: str, message: str) -> None:
    """Verdict, action and what goes with them agree, or the rule is refused."""
    assert refusal(rule_text(beside=beside)) == (f"rules[0].{place}", message)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("action", [None, *ResolvedAction])
def test_no_other_pair_is_taken(verdict: Verdict, action: ResolvedAction | None) -> None:
    """The pairs of verdict and action that a policy may hold are those of the contract."""
    quarantines = {ResolvedAction.QUARANTINE_1, ResolvedAction.QUARANTINE_2, ResolvedAction.QUARANTINE_3}
    harmless = {None, ResolvedAction.NOTHING, ResolvedAction.LOG}
    allowed = {
        Verdict.ALLOW: harmless,
        Verdict.CHALLENGE: {ResolvedAction.LOG, ResolvedAction.RATE_LIMIT, ResolvedAction.QUARANTINE_1},
        Verdict.SOFT_BLOCK: {ResolvedAction.RATE_LIMIT, *quarantines},
        Verdict.HARD_BLOCK: {ResolvedAction.BLOCK},
    }
    said = f"  evidence: strong\n  verdict: {verdict}" + (f"\n  action: {action}" if action else "")
    said += "\n  challenge_type: turnstile" if verdict is Verdict.CHALLENGE else ""
    if action in allowed[verdict]:
        assert policy_of(rule_text(beside=said)).rules[0].text.action is action
    else:
        assert refusal(rule_text(beside=said))[0] == "rules[0].action"


@pytest.mark.parametrize(
    ("found", "place", "message"),
    [
        ({"rules": rule_text() + rule_text()}, "rules[1].id", "a second rule with the id one"),
        ({"rules": rule_text().replace("0.5", "1.5")}, "rules[0].weight", "expected a weight from 0 to 1"),
        ({"rules": rule_text().replace("0.5", ".nan")}, "rules[0].weight", "expected a weight from 0 to 1"),
        ({"rules": rule_text().replace("because", "because of {nobody}")}, "rules[0].reason", "unknown name {nobody}"),
        ({"rules": rule_text("requests_1m")}, "rules[0].when", "expected a condition (bool), found int"),
        ({"head": "outcome: {challenge_at: 1.1}"}, "outcome.challenge_at", "expected a risk above 0, at most 1"),
        ({"head": "thresholds: {a-b: 1}"}, "thresholds.a-b", "expected a name of small letters, digits and _"),
        ({"head": "lists: {A: []}"}, "lists.A", "expected a name of small letters, digits and _"),
        ({"features": "list: {entity: user, events: [a], aggregate: count}"}, "features.list",
         "this name means something else in a condition"),
        ({"features": "identity.is_blocked: {entity: user, events: [a], aggregate: count}"},
         "features.identity.is_blocked", "expected a name of small letters, digits and _"),
        ({"rules": rule_text(cases="[{name: odd, given: {nobody: 1}, fires: false}]")},
         "rules[0].cases.odd.given", "unknown name nobody"),
        ({"rules": rule_text(cases="[{name: odd, given: {identity.is_blocked: 1}, fires: false}]")},
         "rules[0].cases.odd.given", "identity.is_blocked is bool, found 1"),
        ({"rules": rule_text(cases="[{name: odd, given: {identity.age_days: old}, fires: false}]")},
         "rules[0].cases.odd.given", "identity.age_days is double, found 'old'"),
        ({"rules": rule_text(cases="[{name: odd, given: {threshold.a: 2}, fires: true}]"), "head": THRESHOLD},
         "rules[0].cases.odd.given", "threshold.a is the policy's own, a case can't give it"),
        ({"rules": rule_text(cases="[{name: odd, given: {identity.is_blocked: true}, fires: false}]")},
         "rules[0].cases.odd", "expected the rule to stay silent, found the rule to fire"),
        ({"rules": rule_text(cases="[{name: odd, given: {}, fires: true}]")},
         "rules[0].cases.odd", "expected the rule to fire, found the rule to stay silent"),
        ({"rules": rule_text(beside="  colour: red")}, "rules[0]",
         ("unknown field colour; expected one of: id, title, signal, when, reason, weight, evidence, verdict, action, "
         "challenge_type, model_override, retry_after_seconds, mode, source, triage, cases")),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)  # fmt: skip
def test_broken_law_names_the_place(found: dict[str, str], place: str, message: str) -> None:
    """Whatever does not hold together is refused with its place, what was found and what was expected."""
    assert refusal(**found) == (place, message)


COUNTED = """
minute: {entity: user, events: [request.classified], aggregate: count, window: 1m}
steps: {entity: user, events: [request.classified], aggregate: count, window: 1m, approximate: 0.1}
life: {entity: user, events: [request.classified], aggregate: count}
linked: {entity: cluster, events: [request.classified], aggregate: count, window: 1m}
models: {entity: user, events: [request.classified], aggregate: distinct, value: event.model}
many: {entity: user, events: [request.classified], aggregate: distinct, value: event.model, approximate: 0.2}
speed: {entity: user, events: [request.classified], aggregate: rate, window: 1m}
share: {entity: user, events: [request.classified], aggregate: ratio, matching: event.streamed, window: 1m}
tokens: {entity: user, events: [request.classified], aggregate: sum, value: event.max_tokens, window: 1m}
"""


THRESHOLDS = "thresholds: {edge: 1024, beyond: 1025, half: 60.5}"
NEVER, ALWAYS, CURE = "never holds", "always holds", "; declare it approximate, or choose a smaller number"


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ("minute > 1024", f"minute is 1,024 at most, so > 1,024 {NEVER}{CURE}"),
        ("minute >= 1025", f"minute is 1,024 at most, so >= 1,025 {NEVER}{CURE}"),
        ("minute == 1025", f"minute is 1,024 at most, so == 1,025 {NEVER}{CURE}"),
        ("minute != 1025", f"minute is 1,024 at most, so != 1,025 {ALWAYS}{CURE}"),
        ("minute <= 1024", f"minute is 1,024 at most, so <= 1,024 {ALWAYS}{CURE}"),
        ("threshold.edge < minute", f"minute is 1,024 at most, so > 1,024 {NEVER}{CURE}"),
        ("minute >= threshold.beyond", f"minute is 1,024 at most, so >= 1,025 {NEVER}{CURE}"),
        ("double(minute) > 2000.0", f"minute is 1,024 at most, so > 2,000.0 {NEVER}{CURE}"),
        ("models > 1000", f"models is 1,000 at most, so > 1,000 {NEVER}{CURE}"),
        ("speed > threshold.half", f"speed is 17.0667 at most, so > 60.5 {NEVER}{CURE}"),
        ("share > 1.0", f"share is 1 at most, so > 1.0 {NEVER}"),
    ],
)
def test_number_out_of_reach_is_refused(when: str, fault: str) -> None:
    """A feature that is bounded is not held against a number that it can never reach, in a rule or in a trust."""
    hidden = rule_text(f"identity.is_blocked || ({when})")
    assert refusal(hidden, COUNTED, THRESHOLDS) == ("rules[0].when", fault)
    resting = rule_text(when, "  mode: 'off'")
    assert refusal(resting, COUNTED, THRESHOLDS) == ("rules[0].when", fault)
    trust = f"{THRESHOLDS}\ntrust: [{{id: one, title: One, weight: 0.5, when: '{when}'}}]"
    assert refusal("[]", COUNTED, trust) == ("trust[0].when", fault)


@pytest.mark.parametrize(
    "when",
    [
        "minute >= 1024",
        "minute >= threshold.edge",
        "minute < 1024",
        "minute == 1024",
        "minute + minute > 1025",
        "minute >= int(1024.5)",
        "double(minute) >= double(threshold.edge)",
        "minute > threshold.edge - 1",
        "steps > 5000",
        "life > 5000",
        "linked > 5000",
        "models >= 1000",
        "many > 5000",
        "speed > 17.0",
        "share >= 1.0",
        "tokens > 5000",
        "request.max_tokens > 5000",
        "true && [2000].exists(minute, minute > 1024)",
    ],
)
def test_number_within_reach_is_taken(when: str) -> None:
    """What a feature may reach, and what the text alone can't tell, is taken."""
    assert policy_of(rule_text(when), COUNTED, THRESHOLDS).rules[0].text.when == when


def test_number_out_of_reach_is_shown() -> None:
    """The comparison is marked in the author's line."""
    text = policy_text(rule_text("identity.is_blocked || minute > 5000"), COUNTED, THRESHOLDS)
    with pytest.raises(PolicyError) as refused:
        Policy(text, "mine.yaml")
    place, _, _, line, mark = refused.value.told().splitlines()
    assert place == "mine.yaml:20:34: rules[0].when"
    assert (line[5:], mark[5:]) == (
        "    when: identity.is_blocked || minute > 5000",
        "                                 ^^^^^^",
    )


def test_unknown_name_shows_the_spot() -> None:
    """A condition with an unknown name is refused, and the text shows the author's line with a mark under the spot."""
    text = policy_text(rule_text("identity.is_blokced && threshold.a > 1", ""), head="thresholds: {a: 2}")
    with pytest.raises(PolicyError) as refused:
        Policy(text, "mine.yaml")
    assert refused.value.told().splitlines() == [
        "mine.yaml:12:11: rules[0].when",
        "unknown name identity.is_blokced; did you mean identity.is_blocked?",
        "   |",
        "12 |     when: identity.is_blokced && threshold.a > 1",
        "   |           ^^^^^^^^^^^^^^^^^^^",
    ]


@pytest.mark.parametrize(
    ("when", "spot"),
    [
        ("identity.is_blocked && nobody", "12:34"),
        ("'identity.is_blocked && nobody'", "12:35"),
        (">-\n    identity.is_blocked\n    && nobody", "14:10"),
        ("|\n    identity.is_blocked\n    && nobody", "14:10"),
    ],
)
def test_spot_is_found_in_each_style(when: str, spot: str) -> None:
    """Line and column are those of the file, however YAML writes the condition."""
    with pytest.raises(PolicyError) as refused:
        policy_of(rule_text(when, ""))
    assert refused.value.place == f"policy.yaml:{spot}"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("verdict: SOFTBLOCK", "found 'SOFTBLOCK', did you mean SOFT_BLOCK?; expected one of: ALLOW, "),
        ("evidence: sure", "found 'sure'; expected one of: weak, strong, confirmed"),
        ("acton: log", "unknown field acton, did you mean action?; expected one of: id, title, "),
    ],
)
def test_slip_is_shown_with_the_nearest_name(wrong: str, message: str) -> None:
    """A key or a word that is none is answered with the nearest and with all that are."""
    assert refusal(rule_text(beside=f"  {wrong}"))[1].startswith(message)


def test_weak_evidence_does_no_harm() -> None:
    """A hard action needs more than weak evidence, which reaches a challenge or a throttle at most."""
    for verdict, action in (("HARD_BLOCK", "block"), ("SOFT_BLOCK", "quarantine-3")):
        said = f"  verdict: {verdict}\n  action: {action}"
        assert refusal(rule_text(beside=said))[0] == "rules[0].evidence"
        assert policy_of(rule_text(beside=f"{said}\n  evidence: confirmed")).rules
    assert policy_of(rule_text(beside="  verdict: SOFT_BLOCK\n  action: rate-limit")).rules


@pytest.mark.parametrize("section", ["thresholds", "lists", "features"])
def test_unused_name_is_refused(section: str) -> None:
    """What is declared and read by no rule is refused at its place: it is a slip, or a leftover."""
    unused = {
        "thresholds": "  unused: 1\n",
        "lists": "  unused: [a]\n",
        "features": "  unused: {entity: user, events: [user.blocked], aggregate: count}\n",
    }
    before, name, after = DEFAULT_POLICY.read_text().partition(f"\n{section}:\n")
    with pytest.raises(PolicyError, match="no rule reads") as refused:
        Policy(before + name + unused[section] + after)
    assert refused.value.path == f"{section}.unused"


def test_rule_that_is_off_is_not_run() -> None:
    """A rule that is off takes no part, and still has to hold together."""
    off = rule_text(beside="  mode: 'off'")
    assert policy_of(off).rules == []
    assert refusal(rule_text("nobody", "  mode: 'off'"))[0] == "rules[0].when"


@pytest.mark.parametrize("name", REQUIRED_FEATURES)
def test_context_features_are_required(name: str) -> None:
    """The features that each answer's context carries stand in every policy, as counts or sums of the user's."""
    without = policy_text().replace(f"{name}:", "renamed:")
    with pytest.raises(PolicyError, match=f"every policy declares the feature {name}"):
        Policy(without)
    other = policy_text().replace("entity: user", "entity: ip")
    with pytest.raises(PolicyError, match="expected a count or a sum of the user's"):
        Policy(other)


@pytest.mark.parametrize("text", ["", "[]", "rules: [", "title: 5", "a: b: c", "title: x\nrules: 5\nfeatures: {}"])
def test_file_that_is_no_policy(text: str) -> None:
    """A file that is no policy is refused with a word about it."""
    with pytest.raises(PolicyError) as refused:
        Policy(text)
    assert refused.value.message


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is missing or no text is refused by its name."""
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "picture.yaml"):
        with pytest.raises(PolicyError, match="can't read the policy file") as refused:
            load_policy(tmp_path / name)
        assert refused.value.path == str(tmp_path / name)


# meaning


def test_changed_threshold_changes_the_version() -> None:
    """The version names the exact text: another threshold is another policy."""
    texts = [policy_text(head=f"thresholds: {{a: {value}}}") for value in (1, 1, 2)]
    one, same, other = (Policy(text).version for text in texts)
    assert one == same != other


@pytest.mark.parametrize(
    ("when", "reads"),
    [
        ("request.model.contains('opus')", {"request.model"}),
        ("request.model.startsWith('identity.is_blocked')", {"request.model"}),
        ("!identity.is_blocked || requests_1m > threshold.most",
         {"identity.is_blocked", "requests_1m", "threshold.most"}),
        ("list.models.exists(model, request.model.endsWith(model))", {"list.models", "request.model"}),
        ("request.model in list.models", {"list.models", "request.model"}),
    ],
)  # fmt: skip
def test_reads_what_it_names(when: str, reads: set[str]) -> None:
    """A rule reads each name of its condition, also where a method of it is called, and none that stands in a text."""
    policy = policy_of(rule_text(f'"{when}"'), head="thresholds: {most: 5}\nlists: {models: [opus, größer, 😀]}")
    assert set(policy.rules[0].reads) == reads


@pytest.mark.parametrize(
    ("when", "given", "holds"),
    [
        ("request.model.contains('opus')", {"request.model": "opus-4"}, True),
        ("list.models.exists(model, request.model.endsWith(model))", {"request.model": "x-größer"}, True),
        ("request.model in list.models", {"request.model": "😀"}, True),
        ("request.model in list.models", {"request.model": "haiku"}, False),
        ("requests_1m > threshold.most", {"requests_1m": 6}, True),
        ("requests_1m -threshold.least > 0", {"requests_1m": -4}, True),
        ("identity.age_days < threshold.days", {"identity.age_days": 1.0}, True),
        ("identity.is_blocked", {}, None),
        ("requests_1m / (requests_1m - requests_1m) > 1", {"requests_1m": 1}, None),
        ("identity.is_blocked && false", {}, False),
        ("identity.is_blocked || true", {}, True),
    ],
)
def test_condition_is_run_as_written(when: str, given: dict[str, object], holds: bool | None) -> None:
    """Conditions mean what CEL says; one that reads an unknown value, or fails, can't be told."""
    head = "thresholds: {most: 5, least: -5, days: 1.5}\nlists: {models: [opus, größer, 😀]}"
    policy = policy_of(rule_text(f'"{when}"'), head=head)
    assert told(policy, given) == [holds]


def test_one_unknown_hides_no_other() -> None:
    """A rule that abstains leaves the others their say."""
    rules = rule_text("identity.is_blocked") + rule_text("identity.has_sso").replace("id: one", "id: two")
    assert told(policy_of(rules), {"identity.has_sso": True}) == [None, True]


def test_reason_shows_the_values() -> None:
    """A reason is a sentence with its values: money in USD, fractions short, what is unknown said so."""
    text = "{identity.spent_microdollars}, {identity.age_days}, {request.model}, {identity.disputes}, {threshold.a}"
    policy = policy_of(rule_text().replace("because", f'"{text}"'), head="thresholds: {a: 7}")
    values = {"identity.spent_microdollars": 1_500_000, "identity.age_days": 1.234, "identity.disputes": 0}
    assert policy.rules[0].explain(values | {"threshold.a": 7}) == "1.50 USD, 1.23, unknown, 0, 7"


def test_kinds_of_facts_are_plain() -> None:
    """Facts are yes or no, numbers or text, each with a meaning in words."""
    assert {kind for kind, _ in FACTS.values()} <= {Kind.BOOL, Kind.INT, Kind.DOUBLE, Kind.STRING}
    assert all(meaning for _, meaning in FACTS.values())
