"""A policy over the log: what it would have decided, whom it would have hit, and what that is worth."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from abuse_service.backtests import plan
from abuse_service.errors import PolicyError
from abuse_service.policy.policy import Policy
from abuse_service.policy.variations import vary
from abuse_service.replay.backtest import Span, play
from abuse_service.replay.findings import Findings, Found, find, share
from abuse_service.settings import Settings
from abuse_service.testing import NOW_MS, event, policy_text
from abuse_service.testing.lives import ask, post, running, send
from abuse_service.wiring import Service, open_past

FEATURES = """
asks_1h: {entity: user, events: [request.classified], aggregate: count, window: 1h}
blocks_1d: {entity: user, events: [user.blocked], aggregate: count, window: 24h}
"""
MANY = """\
- id: too-many
  title: Too many
  signal: velocity
  when: asks_1h >= threshold.most
  reason: "{asks_1h} requests"
  weight: 0.9
  evidence: strong
  verdict: SOFT_BLOCK
  action: rate-limit
  cases: [{name: many, given: {asks_1h: 9}, fires: true}, {name: few, given: {asks_1h: 1}, fires: false}]
"""
BLOCKED = """\
- id: was-blocked
  title: Blocked of late
  signal: known_abuser
  when: blocks_1d > 0
  reason: blocked {blocks_1d} times
  weight: 0.6
  evidence: strong
  verdict: CHALLENGE
  challenge_type: turnstile
  action: log
  cases: [{name: once, given: {blocks_1d: 1}, fires: true}, {name: never, given: {blocks_1d: 0}, fires: false}]
"""
WATCHED = MANY.replace("asks_1h >=", "listed.watched && asks_1h >=").replace(
    "asks_1h: 9", "asks_1h: 9, listed.watched: true"
)
ACTIVE = policy_text(MANY, FEATURES, "thresholds: {most: 5}")
CANDIDATE = policy_text(MANY, FEATURES, "thresholds: {most: 3}")
WITH_BLOCKS = policy_text(MANY + BLOCKED, FEATURES, "thresholds: {most: 5}")


async def asked(service: Service, user: str, times: int, cost: int = 100) -> None:
    """A user asks some times, and each request costs something."""
    for number in range(times):
        answer = await ask(service, user)
        said = {
            "kilo_user_id": user,
            "request_id": answer["request_id"],
            "message_id": f"{user}-{number}",
            "cost": cost,
        }
        await service.flow.take_cost(json.dumps(said).encode(), "cloud")


async def tell_story(data: Path, policy: Path) -> None:
    """Accounts of every kind, told to a service under the active policy."""
    async with running(data, policy=policy) as service:
        await send(service, event("user.blocked", NOW_MS, kilo_user_id="known"))
        await asked(service, "known", 1)
        await asked(service, "disputed", 6)
        await asked(service, "resold", 4)
        await send(
            service, event("billing.credit_purchased", kilo_user_id="customer", microdollars_acquired=50_000_000)
        )
        await asked(service, "customer", 4)
        await asked(service, "visitor", 2)
        await asked(service, "ours", 6)
        await asked(service, "forgiven", 3)
        dispute = {"id": "dp_1", "charge": "ch_1", "reason": "fraudulent"}
        await send(
            service,
            event("stripe.charge.dispute.created", kilo_user_id="disputed", data={"object": dispute}),
            event("user.blocked", kilo_user_id="resold", reason="sold the key"),
            event("user.blocked", kilo_user_id="ours", reason="rate limited"),
            event("user.blocked", kilo_user_id="forgiven", reason="by mistake"),
            event("user.unblocked", kilo_user_id="forgiven", reason="by mistake"),
        )
        await asked(service, "late", 1)
        await send(service, event("user.blocked", NOW_MS - 10_000, kilo_user_id="late"))
        await asked(service, "late", 1)
        await asked(service, "watched", 1)
        await post(service, "lists/blocked/add", entry="user:watched", reason="an analyst knows")
        await service.store.settle()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Where the story was told."""
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "active.yaml").write_text(ACTIVE)
    (folder / "candidate.yaml").write_text(CANDIDATE)
    asyncio.run(tell_story(folder / "data", folder / "active.yaml"))
    return Settings(data=folder / "data")


def backtest(settings: Settings, *texts: str, parts: int = 1, **times: int) -> Findings:
    """Findings of policies, the log played in so many parts."""
    policies = [Policy(text) for text in texts]
    with open_past(settings) as past:
        last = past.log.find_last_position()
        ends = [last * part // parts for part in range(parts + 1)]
        spans = [Span(first + 1, end + 1, **times) for first, end in itertools.pairwise(ends)]
        tallies = [play(past, policies, span) for span in spans]
    return find(tallies, policies, [str(number) for number in range(len(texts))])


def names(accounts: list[Any]) -> set[str]:
    """Whose they are."""
    return {account.identity_key.removeprefix("user:") for account in accounts}


def test_findings_are_what_a_person_counts(settings: Settings) -> None:
    """Two policies over one story: each number is the one that follows from who did what."""
    findings = backtest(settings, ACTIVE, CANDIDATE)
    active, candidate = findings.policies
    # known, disputed, resold, customer, visitor, ours, forgiven, late, watched
    assert (findings.decisions, findings.accounts, findings.known_before, findings.unclear) == (29, 9, 1, 1)
    assert findings.labels == {"analyst": 1, "blocked": 2, "disputed": 1}
    # From the fifth request on: disputed and ours twice each.
    assert active.verdicts == {"ALLOW": 25, "SOFT_BLOCK": 4}
    # From the third on: 4 of disputed, 2 of resold, 2 of customer, 4 of ours, 1 of forgiven.
    assert candidate.verdicts == {"ALLOW": 16, "SOFT_BLOCK": 13}
    assert (active.hit, candidate.hit) == (2, 5)
    assert (candidate.newly_hit, candidate.newly_spared) == (3, 0)
    assert names(candidate.newly_hit_accounts) == {"resold", "customer", "forgiven"}
    # Of those hit, ours is unclear: its block followed our own verdict.
    assert (active.precision.count, active.precision.of) == (1, 1)
    assert (candidate.precision.count, candidate.precision.of) == (2, 4)
    # Labelled: disputed, resold, late, watched.
    assert (active.recall.count, candidate.recall.count, candidate.recall.of) == (1, 2, 4)
    # Nobody labelled customer, visitor and forgiven.
    assert (active.honest_hurt.count, candidate.honest_hurt.count, candidate.honest_hurt.of) == (0, 2, 3)
    assert (candidate.paying_hurt.count, candidate.paying_hurt.of) == (1, 1)
    # Labelled ones spent 600 + 400 + 200 + 100.
    assert active.spend_prevented == 200 / 1300
    assert candidate.spend_prevented == 600 / 1300
    assert candidate.honest_refused_microdollars == 300
    [change] = candidate.changes
    assert (change.before, change.after, change.decisions) == ("ALLOW", "SOFT_BLOCK", 9)
    assert (candidate.changed, len(change.examples)) == (9, 5)
    assert change.examples[0].reasons_after == ("3 requests",)
    [rule] = candidate.rules
    assert (rule.rule_id, rule.decisions, rule.accounts, rule.abusive_accounts) == ("too-many", 13, 5, 2)
    assert (rule.decisions_alone, rule.accounts_alone, rule.overlaps) == (13, 5, {})
    assert [(day.of, day.hit) for day in candidate.days] == [(29, 13)]
    assert [(month.of, month.hit) for month in candidate.months] == [(8, 5)]


def test_new_feature_is_known_at_each_instant_and_nothing_later(settings: Settings) -> None:
    """A block that arrived late, though it had happened before, counts from the decision after its arrival on."""
    found = backtest(settings, ACTIVE, WITH_BLOCKS).policies[1]
    assert names(found.newly_hit_accounts) == {"late"}
    [change] = found.changes
    assert (change.before, change.after, change.decisions) == ("ALLOW", "CHALLENGE", 2)
    assert {example.identity_key for example in change.examples} == {"user:known", "user:late"}
    # It was hit only after it was labelled: that predicts nothing.
    assert found.recall.count == 1
    overlapping = {rule.rule_id: rule.overlaps for rule in found.rules}
    assert overlapping == {"too-many": {}, "was-blocked": {}}


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_parts_of_the_log_add_up(settings: Settings, parts: int) -> None:
    """Played in parts, side by side or one after the other, the log gives the same findings."""
    whole = backtest(settings, ACTIVE, CANDIDATE, WITH_BLOCKS)
    assert comparable(backtest(settings, ACTIVE, CANDIDATE, WITH_BLOCKS, parts=parts)) == comparable(whole)


def comparable(findings: Findings) -> Any:
    """The findings, of examples the number."""
    told = msgspec.to_builtins(findings)
    for found in told["policies"]:
        for change in found["changes"]:
            change["examples"] = min(5, len(change["examples"]))
    return told


def test_times_bound_the_decisions_that_count(settings: Settings) -> None:
    """Decisions outside the times are not counted; what came before them is known all the same."""
    whole = backtest(settings, CANDIDATE, CANDIDATE)
    with open_past(settings) as past:
        decided = [
            json.loads(stored.event.outcome or b"")["decided_at_ms"]
            for stored in past.log.read(0)
            if stored.event.outcome
        ]
    middle = decided[len(decided) // 2]
    before = backtest(settings, CANDIDATE, until_ms=middle)
    after = backtest(settings, CANDIDATE, since_ms=middle)
    assert before.decisions + after.decisions == whole.decisions
    assert before.decisions == len(decided) // 2
    assert before.policies[0].verdicts["SOFT_BLOCK"] + after.policies[0].verdicts["SOFT_BLOCK"] == 13


def test_same_policy_changes_nothing(settings: Settings) -> None:
    """Held against itself a policy changes no decision, and what is recorded is what comes out."""
    found: Found = backtest(settings, ACTIVE, ACTIVE).policies[1]
    assert (found.changed, found.newly_hit, found.newly_spared) == (0, 0, 0)


def test_policies_share_what_they_read_only_where_it_means_the_same(settings: Settings) -> None:
    """A feature of one name that is kept otherwise, or another list, is read by each policy for itself."""
    narrow = policy_text(MANY, FEATURES.replace("window: 1h", "window: 1m", 1), "thresholds: {most: 3}")
    listing = policy_text(
        WATCHED,
        FEATURES,
        'thresholds: {most: 1}\nlists: {watched: ["user:visitor"]}',
    )
    for text in (narrow, listing, CANDIDATE):
        [alone] = backtest(settings, text).policies
        beside = backtest(settings, ACTIVE, text).policies[1]
        assert (beside.verdicts, beside.hit) == (alone.verdicts, alone.hit)
    assert backtest(settings, ACTIVE, listing).policies[1].verdicts["SOFT_BLOCK"] == 2


def test_share_has_wilsons_interval() -> None:
    """Known values of Wilson's interval; of nothing there is no share."""
    assert share(0, 0).value is None
    half = share(5, 10)
    assert (round(half.low or 0, 4), round(half.high or 0, 4)) == (0.2366, 0.7634)
    none = share(0, 100)
    assert (none.low, round(none.high or 0, 4)) == (0.0, 0.037)


def test_grid_tries_each_combination() -> None:
    """Every combination of values is a policy of its own; a threshold that there is not is refused with the nearest."""
    policy = Policy(ACTIVE)
    made = dict(vary(policy, {"most": [2, 3, 4]}))
    assert list(made) == ["most=2", "most=3", "most=4"]
    assert [one.document.thresholds["most"] for one in made.values()] == [2, 3, 4]
    assert len({one.version for one in made.values()}) == 3
    with pytest.raises(PolicyError, match="did you mean most"):
        list(vary(policy, {"mos": [1]}))
    with pytest.raises(PolicyError, match="at most 64"):
        list(vary(policy, {"most": list(range(65))}))


def test_plan_shares_the_work() -> None:
    """Parts cover the log without gap or overlap, later ones are shorter, and a short log makes fewer of them."""
    spans = plan(10_000, 3, 2).spans
    assert (spans[0].first, spans[-1].behind) == (1, 10_001)
    assert all(one.behind == other.first for one, other in itertools.pairwise(spans))
    sizes = [span.behind - span.first for span in spans]
    assert sizes == sorted(sizes, reverse=True)
    assert len(plan(2, 8, 1).spans) <= 2
    assert plan(0, 2, 1).spans == ()


def run_verb(settings: Settings, *words: str, status: int = 0, verb: str = "backtest") -> tuple[str, str]:
    """What the verb prints, on both streams."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    command = [sys.executable, "-m", "abuse_service", verb, *words, "--data", str(settings.data)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=clean | {"COLUMNS": "200"}
    )
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout, ended.stderr


def test_verb_plays_parts_side_by_side(settings: Settings) -> None:
    """Two processes give what one call gives; the table shows it, and a condition for CI sets the status."""
    candidate = str(settings.data.parent / "candidate.yaml")
    out, _ = run_verb(settings, candidate, "--workers", "2", "--json")
    assert comparable(msgspec.json.decode(out, type=Findings))["policies"][1]["changed"] == 9
    out, error = run_verb(
        settings, candidate, "--workers", "1", "--fail-if", "honest_hurt > 0.5 && changed > 8.0", status=1
    )
    assert "honest_hurt > 0.5 && changed > 8.0 holds for candidate" in error
    assert "ALLOW → SOFT_BLOCK: 9 decisions" in out
    assert "newly hit: user:customer  (paying)  3 requests" in out
    out, _ = run_verb(settings, candidate, "--workers", "1", "--vary", "most=2,5", "--fail-if", "hit > 100.0")
    assert "most=2" in out
    assert "most=5" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "yesterday"), "expected an instant such as 2026-11-01T12:00:00Z, found 'yesterday'"),
        (("--vary", "most=a"), "expected THRESHOLD=A,B,… with numbers"),
        (("--vary", "least=1"), "no such threshold"),
        (("--fail-if", "honest > 1"), "honest"),
        (("--against", "abcd1234"), "no version of the policy has this name"),
    ],
)
def test_verb_says_what_is_wrong(settings: Settings, words: tuple[str, ...], told: str) -> None:
    """A wish that can't be is refused before anything is played, with where and why."""
    _, error = run_verb(settings, str(settings.data.parent / "candidate.yaml"), *words, status=1)
    assert told in error


async def tell_of_rests(data: Path, policy: Path) -> None:
    """A user who asks often, before and after a policy with rules in shadow."""
    async with running(data, policy=policy) as service:
        await asked(service, "early", 9)
        await service.versions.activate(IN_SHADOW, reason="look first", actor="ann")
        await asked(service, "hasty", 6)
        await asked(service, "calm", 2)
        await service.store.settle()


IN_SHADOW = policy_text(
    (MANY + BLOCKED).replace("  weight:", "  mode: shadow\n  weight:"), FEATURES, "thresholds: {most: 3}"
)


def test_shadow_report_says_what_resting_rules_would_do(tmp_path: Path) -> None:
    """Each rule in shadow by itself and all together, from when the policy was put in force; none is an error."""
    (tmp_path / "active.yaml").write_text(ACTIVE)
    asyncio.run(tell_of_rests(tmp_path / "data", tmp_path / "active.yaml"))
    settings = Settings(data=tmp_path / "data")
    out, _ = run_verb(settings, "shadow", "report", "--json", "--workers", "1", verb="policy")
    findings = msgspec.json.decode(out, type=Findings)
    assert [found.name for found in findings.policies] == ["in force", "too-many", "was-blocked", "all of them"]
    assert findings.decisions == 8
    assert [found.changed for found in findings.policies] == [0, 4, 0, 4]
    assert names(findings.policies[1].newly_hit_accounts) == {"hasty"}
    (tmp_path / "other").mkdir()
    asyncio.run(tell_story(tmp_path / "other/data", tmp_path / "active.yaml"))
    _, error = run_verb(Settings(data=tmp_path / "other/data"), "shadow", "report", verb="policy", status=1)
    assert "no rule in shadow" in error
