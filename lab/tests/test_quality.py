"""The judge of detection quality: its worlds, its gateway, its arithmetic."""

import ast
import asyncio
import importlib
import json
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from abuse_client.contract import (
    ActionMetadata,
    AuthEventPayload,
    ChallengeType,
    Classification,
    ClassifyContext,
    ClassifyPayload,
    CostPayload,
    Reader,
    ResolvedAction,
    RulesEngine,
    UnknownEvent,
    Verdict,
    decode_event,
)
from abuse_lab.__main__ import app
from abuse_lab.quality import abuse, honest
from abuse_lab.quality.ablate import ablate, without
from abuse_lab.quality.calls import Account, Call, Endpoint, Usage, World
from abuse_lab.quality.cloud import Cloud, Profile
from abuse_lab.quality.doors import timed
from abuse_lab.quality.gateway import Fate, obey
from abuse_lab.quality.measure import Share, measure, summarize
from abuse_lab.quality.play import Course, Player
from abuse_lab.quality.runs import JUDGEMENT_SEEDS, TUNING_SEEDS, Plan, plan_of, play_world, run_plan
from abuse_lab.quality.world import ABUSE, DAYS, HONEST, build_world
from abuse_service.policy.entries import read_entry
from abuse_service.policy.policy import DEFAULT_POLICY

SIZE = 0.15
SOURCES = Path(importlib.import_module("abuse_lab.quality").__file__ or "").parent
BUILDERS = ("actor", "calls", "cloud", "models", "network", "person", "scene", "world")
WHO = {"pattern": "someone", "is_abusive": True}


@pytest.fixture(scope="module", params=list(Profile))
def profile(request: pytest.FixtureRequest) -> Profile:
    """Each kind of cloud."""
    kind: Profile = request.param
    return kind


@pytest.fixture(scope="module")
def world(profile: Profile) -> World:
    """A small world of every pattern."""
    return build_world(7, profile, size=SIZE)


def test_same_seed_same_world(profile: Profile, world: World) -> None:
    """A seed gives the same accounts and calls, to the byte; another one gives others."""
    again, other = build_world(7, profile, size=SIZE), build_world(8, profile, size=SIZE)
    assert again == world
    assert other.accounts != world.accounts


def test_scenes_do_not_lean_on_each_other(profile: Profile, world: World) -> None:
    """A pattern alone is what it is among all others."""
    alone = build_world(7, profile, ("payment_fraud",), size=SIZE)
    assert alone.calls == [call for call in world.calls if call.account.pattern == "payment_fraud"]


def test_profiles_tell_of_the_same_people() -> None:
    """What a cloud tells changes nothing about who does what and when."""
    deeds = [
        [
            (call.at_ms, call.endpoint, call.usage, call.account)
            for call in build_world(3, profile, ("campus", "stolen_key", "drain_cluster"), size=SIZE).calls
        ]
        for profile in Profile
    ]
    assert deeds[0] == deeds[1]


def test_labels_are_complete(world: World) -> None:
    """Every call is of a labelled account, every pattern of both kinds is there, no account has two labels."""
    assert {account.pattern for account in world.accounts} == {*ABUSE, *HONEST}
    assert len({account.user_id for account in world.accounts}) == len(world.accounts)
    assert {call.account.user_id for call in world.calls} == {account.user_id for account in world.accounts}
    for account in world.accounts:
        assert account.is_abusive == (account.pattern in ABUSE)
    assert all(call.account.is_abusive for call in world.calls if call.is_abuse)
    assert len(HONEST) >= 10


def test_calls_are_in_event_time(world: World) -> None:
    """Nothing happens before what happened before it, and nobody with an account asks before he signed up."""
    times = [call.at_ms for call in world.calls]
    assert times == sorted(times)
    signed_up = {call.account.user_id: call.at_ms for call in world.calls if call.fields.get("event_type") == "signup"}
    for call in world.calls:
        if not call.account.user_id.startswith("visitor-"):
            assert signed_up[call.account.user_id] <= call.at_ms


def test_payloads_keep_the_contract(world: World) -> None:
    """Everything sent decodes by the contract, with nothing malformed and no field that the contract does not know."""
    readers = {Endpoint.CLASSIFY: Reader(ClassifyPayload), Endpoint.AUTH: Reader(AuthEventPayload)}
    for call in world.calls:
        if call.endpoint is Endpoint.EVENTS:
            for event in call.fields["events"]:
                assert not isinstance(decode_event(event), UnknownEvent)
            continue
        if call.endpoint in (Endpoint.BLOCK, Endpoint.TRUST):
            assert read_entry(call.fields["entry"])
            continue
        reading = readers[call.endpoint].read(msgspec.json.encode(call.fields))
        assert reading.malformed == ()
        assert reading.value.extra == {}


def test_today_tells_no_more_than_the_contract_says() -> None:
    """Today's cloud sends no ids and times of ours, no cards, no fingerprint at sign-up, and no totals."""
    for seed in TUNING_SEEDS:
        for call in build_world(seed, Profile.TODAY, size=SIZE).calls:
            text = msgspec.json.encode(call.fields)
            for absent in (b"event_id", b"is_free", b"stripe_customer_id", b"total_microdollars", b"card", b"pm_"):
                if absent not in (b"card", b"pm_") or b"stripe." in text:
                    assert absent not in text.replace(b"card_declined", b"").replace(b"_card", b"")
            if call.fields.get("event_type") == "signup":
                assert b"hardware_fingerprint" not in text
            for event in call.fields.get("events", ()):
                assert ("occurred_at" in event) == event["type"].startswith("stripe.")


@pytest.mark.parametrize(
    "module", [*(f"abuse.{name}" for name in ABUSE), *(f"honest.{name}" for name in HONEST), *BUILDERS]
)
def test_generators_know_no_policy(module: str) -> None:
    """What builds the traffic imports nothing of the service: it can't know a threshold."""
    source = SOURCES.joinpath(*module.split(".")).with_suffix(".py").read_text()
    imported = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not [name for name in imported if (name or "").startswith("abuse_service")]


@pytest.mark.parametrize("name", [*ABUSE, *HONEST])
def test_patterns_say_what_they_stand_for(name: str) -> None:
    """Each module tells what real behaviour it stands for, in a sentence and a few more."""
    module = importlib.import_module(f"{(abuse if name in ABUSE else honest).__name__}.{name}")
    assert module.__doc__
    assert len(module.__doc__) > 80
    assert module.stage.__doc__


def test_policy_names_no_scenario() -> None:
    """No identifier of a scenario, a made-up name or a user stands in the policy that ships."""
    text = DEFAULT_POLICY.read_text()
    world = build_world(1, Profile.TODAY, size=SIZE)
    names = {"abuse_lab", *(name for name in (*ABUSE, *HONEST) if "_" in name)}
    names |= {account.user_id for account in world.accounts}
    assert not [name for name in names if name in text and name not in ("card_testing", "shared_card")]


def test_judgement_is_not_tuning() -> None:
    """No world on which a policy is judged is one on which it is tuned; there are at least five of them."""
    assert not set(JUDGEMENT_SEEDS) & set(TUNING_SEEDS)
    assert len(JUDGEMENT_SEEDS) >= 5
    assert Plan().seeds == JUDGEMENT_SEEDS


def small_plan(**more: object) -> Plan:
    """A few patterns in one small world."""
    patterns = (
        "scraper",
        "drain_cluster",
        "payment_fraud",
        "listed_return",
        "household",
        "declined_then_paid",
        "visitor",
    )
    return Plan(**({"seeds": (7,), "patterns": patterns, "size": SIZE} | more))  # type: ignore[arg-type]


def courses_of(courses: list[Course]) -> dict[str, object]:
    """What became of each account, comparable."""
    return {
        course.account.user_id: (course.gravest, course.is_caught, course.spent_microdollars, sorted(course.rules))
        for course in courses
    }


def test_playing_is_deterministic(profile: Profile) -> None:
    """Two plays of one world end alike, though each service has a secret of its own."""
    first, second = (run_plan(small_plan(profiles=(profile,))).all for _ in range(2))
    assert courses_of(first) == courses_of(second)


def test_http_gives_the_same_verdicts(profile: Profile) -> None:
    """Over HTTP, told the time by ``occurred_at``, every account fares as in process by the clock."""
    plan = small_plan(profiles=(profile,))
    world = build_world(7, profile, plan.patterns, plan.size)
    inside = play_world(world, profile, plan)
    outside = play_world(world, profile, small_plan(is_http=True))
    assert courses_of(inside) == courses_of(outside)
    assert any(course.is_caught for course in inside)


def test_time_is_written_where_it_is_absent() -> None:
    """Over HTTP each call carries its instant; a business time that the cloud told stays."""
    assert timed(Endpoint.AUTH, {"email": "a@example.com"}, 5) == {"occurred_at": 5, "email": "a@example.com"}
    events = {"events": [{"type": "user.deleted", "data": {}}, {"type": "stripe.x", "occurred_at": 3, "data": {}}]}
    assert [event["occurred_at"] for event in timed(Endpoint.EVENTS, events, 5)["events"]] == [5, 3]
    assert timed(Endpoint.TRUST, {"entry": "ip:192.0.2.1"}, 5) == {"entry": "ip:192.0.2.1"}


def answer(verdict: Verdict, action: ResolvedAction | None = None, **metadata: object) -> Classification:
    """An answer of the service."""
    return Classification(
        verdict=verdict,
        risk_score=0.5,
        signals=[],
        action_metadata=ActionMetadata(**metadata),  # type: ignore[arg-type]
        context=ClassifyContext(
            identity_key="user:u", current_spend_1h=0.0, is_new_user=False, requests_per_second=0.0
        ),
        request_id=1,
        rules_engine=RulesEngine(matches=[], sus_score=0.5, resolved_action=action, matched_abuse_rule_ids=[]),
    )


OWN_KEY = {"is_byok": True}


@pytest.mark.parametrize(
    ("given", "profile", "usage", "fate"),
    [
        (answer(Verdict.ALLOW), Profile.TODAY, {}, Fate.PROXIED),
        (answer(Verdict.HARD_BLOCK, ResolvedAction.BLOCK), Profile.TODAY, {}, Fate.REFUSED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.RATE_LIMIT), Profile.TODAY, {}, Fate.REFUSED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_1), Profile.TODAY, {}, Fate.PROXIED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_2, model_override="m"), Profile.TODAY, {}, Fate.PROXIED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_2, model_override="m"), Profile.RICH, {}, Fate.REROUTED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_3), Profile.TODAY, {}, Fate.REROUTED),
        (answer(Verdict.SOFT_BLOCK, ResolvedAction.QUARANTINE_3), Profile.TODAY, OWN_KEY, Fate.PROXIED),
        (answer(Verdict.CHALLENGE, ResolvedAction.LOG), Profile.TODAY, {}, Fate.PROXIED),
        (
            answer(Verdict.CHALLENGE, ResolvedAction.LOG, challenge_type=ChallengeType.PAYMENT_VERIFICATION),
            Profile.RICH,
            {},
            Fate.REFUSED,
        ),
        (
            answer(Verdict.CHALLENGE, ResolvedAction.LOG, challenge_type=ChallengeType.TURNSTILE),
            Profile.RICH,
            {},
            Fate.PROXIED,
        ),
        (answer(Verdict.CHALLENGE, ResolvedAction.RATE_LIMIT), Profile.TODAY, {}, Fate.REFUSED),
        (
            answer(Verdict.CHALLENGE, ResolvedAction.RATE_LIMIT, challenge_type=ChallengeType.TURNSTILE),
            Profile.RICH,
            {},
            Fate.PROXIED,
        ),
    ],
)
def test_gateway_obeys(given: Classification, profile: Profile, usage: dict[str, bool], fate: Fate) -> None:
    """Today's gateway enforces the action alone, a rich one the verdict too; who fails a challenge is refused."""
    asked = Usage(model="m", cost_microdollars=90_000, input_tokens=10_000, output_tokens=1_000, seconds=1.0, **usage)
    account = Account(user_id="u", passes_turnstile=True, passes_payment=False, **WHO)  # type: ignore[arg-type]
    outcome = obey(given, account, asked, profile)
    assert outcome.fate is fate
    assert outcome.cost_microdollars == {Fate.PROXIED: 90_000, Fate.REROUTED: 2_800, Fate.REFUSED: 0}[fate]


def test_interval_is_wilsons() -> None:
    """The interval of a share is Wilson's: known values, and exact ends."""
    assert Share(hits=8, of=10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert Share(hits=0, of=4000).interval == (0.0, pytest.approx(0.00096, abs=1e-5))
    assert Share(hits=10, of=10).interval == (pytest.approx(0.7225, abs=1e-4), 1.0)
    assert Share(hits=0, of=0).interval == (0.0, 1.0)


def course(gravest: Verdict, asked: int, spent: int, until: int = 0, *, is_abusive: bool = True) -> Course:
    """An account's course."""
    account = Account(user_id="u", pattern="p", is_abusive=is_abusive)
    return Course(
        account=account,
        asked_microdollars=asked,
        spent_microdollars=spent,
        until_requests=until,
        until_microdollars=until * 10,
        is_caught=gravest is not Verdict.ALLOW,
        gravest=gravest,
    )


def test_figures_add_up() -> None:
    """Caught is any verdict but ALLOW, hurt is a block; medians are of the caught, prevented is by cost."""
    some = [
        course(Verdict.ALLOW, 100, 100, 9),
        course(Verdict.CHALLENGE, 200, 50, 2),
        course(Verdict.SOFT_BLOCK, 300, 50, 4),
        course(Verdict.HARD_BLOCK, 400, 0, 30),
    ]
    figures = measure(some)
    assert (figures.caught.hits, figures.challenged.hits, figures.hurt.hits) == (3, 1, 2)
    assert (figures.until_requests, figures.until_microdollars) == (4, 40)
    assert figures.prevented == pytest.approx(0.8)
    summary = summarize([*some, course(Verdict.SOFT_BLOCK, 0, 0, is_abusive=False)])
    assert summary.told() == {"recall": 0.75, "honest_hurt": 1.0, "spend_prevented": 0.8}


def test_refused_by_an_action_is_hurt() -> None:
    """An honest account whose request a challenge's action refused is hurt, and no longer only challenged."""
    refused = course(Verdict.CHALLENGE, 100, 0, is_abusive=False)
    refused.is_refused = True
    figures = measure([refused, course(Verdict.CHALLENGE, 100, 100, is_abusive=False)])
    assert (figures.hurt.hits, figures.challenged.hits) == (1, 1)


class Refusing:
    """A door that refuses each request so many times before it serves it, and keeps what it was sent."""

    def __init__(self, times: int) -> None:
        self._times = times
        self.asked: list[tuple[int, str]] = []
        self.reports = 0

    async def post(self, endpoint: Endpoint, fields: dict[str, object], at_ms: int) -> bytes:
        """The answer."""
        if endpoint is Endpoint.COST:
            self.reports += 1
            return b"{}"
        self.asked.append((at_ms, str(fields["event_id"])))
        if len(self.asked) > self._times:
            return msgspec.json.encode(answer(Verdict.ALLOW))
        return msgspec.json.encode(answer(Verdict.SOFT_BLOCK, ResolvedAction.RATE_LIMIT))


@pytest.mark.parametrize(("refusals", "retries", "asked", "spent"), [(2, 3, 3, 900), (9, 3, 4, 0), (9, 0, 1, 0)])
def test_refused_clients_ask_again(refusals: int, retries: int, asked: int, spent: int) -> None:
    """A client asks again as often as its account says, each time as a new event and later; one wish is counted."""
    account = Account(user_id="u", retries=retries, **WHO)  # type: ignore[arg-type]
    usage = Usage(model="m", cost_microdollars=900, input_tokens=1, output_tokens=1, seconds=1.0)
    call = Call(
        at_ms=1_000,
        endpoint=Endpoint.CLASSIFY,
        account=account,
        fields={"event_id": "e", "kilo_user_id": "u"},
        usage=usage,
        is_abuse=True,
    )
    door = Refusing(refusals)
    player = Player(door, Profile.TODAY, Cloud(Profile.TODAY, random.Random(1), random.Random(1)))
    [fared] = asyncio.run(player.play(World(seed=1, accounts=[account], calls=[call]))).values()
    assert [at_ms for at_ms, _ in door.asked] == [1_000, 2_000, 4_000, 8_000][:asked]
    assert len({event_id for _, event_id in door.asked}) == asked
    assert (fared.asked, fared.asked_microdollars, fared.spent_microdollars) == (1, 900, spent)
    assert door.reports == (spent > 0)
    assert fared.is_refused


def test_operators_lists_are_obeyed(profile: Profile) -> None:
    """Whom an operator lists as blocked is refused from then on, and whom he trusts is served at any pace."""
    plan = small_plan(profiles=(profile,), patterns=("listed_return", "trusted_partner"))
    world = build_world(7, profile, plan.patterns, plan.size)
    listed_at_ms = {call.fields["entry"]: call.at_ms for call in world.calls if call.endpoint is Endpoint.BLOCK}
    assert listed_at_ms
    for fared in play_world(world, profile, plan):
        if fared.account.is_abusive:
            assert fared.gravest is Verdict.HARD_BLOCK
        else:
            assert fared.gravest is Verdict.ALLOW


def test_visitors_have_no_account(world: World) -> None:
    """Who has no account never signs up, and the gateway names him by a made-up id or not at all."""
    visits = [call for call in world.calls if call.account.user_id.startswith("visitor-")]
    assert {call.account.pattern for call in visits} == {"anonymous_drain", "visitor"}
    for call in visits:
        assert call.endpoint is Endpoint.CLASSIFY
        assert str(call.fields["kilo_user_id"] or "anon:").startswith("anon:")


def test_only_abuse_of_a_stolen_account_counts() -> None:
    """What the owner did before his key was stolen is neither caught nor prevented."""
    world = build_world(2, Profile.TODAY, ("stolen_key",), size=SIZE)
    asked: Counter[str] = Counter()
    for call in world.calls:
        if call.usage and call.is_abuse:
            asked[call.account.user_id] += 1
    owned = [call for call in world.calls if call.usage and not call.is_abuse]
    assert owned
    for found in play_world(world, Profile.TODAY, Plan()):
        assert found.asked == asked[found.account.user_id]


def test_dropping_a_rule_drops_only_it() -> None:
    """The policy of an ablation is the same but for one rule."""
    text = {"title": "t", "rules": [{"id": "a"}, {"id": "b"}]}
    assert without(text, "a") == {"title": "t", "rules": [{"id": "a", "mode": "off"}, {"id": "b"}]}
    assert len(text["rules"]) == 2


def test_ablation_says_what_a_rule_earns() -> None:
    """Without a rule that alone caught a pattern fewer are caught; one that had no say is not played again."""
    plan = small_plan(profiles=(Profile.TODAY,), patterns=("scraper", "listed_return"))
    whole = run_plan(plan)
    earned = {earning.rule_id: earning for earning in ablate(plan, whole)}
    assert earned["listed-as-blocked"].patterns == ("listed_return",)
    assert earned["listed-as-blocked"].caught > 0
    assert not earned["listed-as-blocked"].is_idle
    assert earned["card-testing"].is_idle
    assert not earned["card-testing"].has_fired


def test_json_ends_with_the_three_figures() -> None:
    """``--json`` prints a line of everything, and last the three figures alone."""
    asked = CliRunner().invoke(
        app, ["quality", "--json", "--seeds", "7", "--size", str(SIZE), "--patterns", "scraper,campus"]
    )
    assert asked.exit_code == 0, asked.output
    *_, whole, last = asked.stdout.splitlines()
    assert list(json.loads(last)) == ["recall", "honest_hurt", "spend_prevented"]
    everything = json.loads(whole)
    assert everything["seeds"] == [7]
    assert set(everything["profiles"]) == {"today", "rich"}
    scraper = everything["profiles"]["today"]["patterns"]["scraper"]
    assert {"accounts", "caught", "hurt", "spend_prevented", "median_requests_until_caught"} <= set(scraper)


def test_table_has_a_row_a_pattern() -> None:
    """For people there is a table of abusive and one of honest patterns, with the goals beside the figures."""
    asked = CliRunner().invoke(
        app, ["quality", "--seeds", "7", "--size", str(SIZE), "--patterns", "scraper,campus", "--profile", "today"]
    )
    assert asked.exit_code == 0, asked.output
    assert "scraper" in asked.stdout
    assert "campus" in asked.stdout
    assert "goal 0.95" in asked.stdout


@pytest.mark.parametrize("wrong", [["--seeds", "five"], ["--profile", "poor"], ["--patterns", "gossip"]])
def test_wrong_wish_is_told(wrong: list[str]) -> None:
    """A wish that can't be met is one line that says what was expected."""
    asked = CliRunner().invoke(app, ["quality", *wrong])
    assert asked.exit_code == 1
    assert "expected" in asked.stderr


def test_seeds_are_read() -> None:
    """Seeds are spelled one by one or as a stretch."""
    assert plan_of("1-3,9", "both", "").seeds == (1, 2, 3, 9)
    assert plan_of("", "today", "").seeds == JUDGEMENT_SEEDS


def test_worlds_span_days(world: World) -> None:
    """A world is days of traffic, with history of a year before it."""
    times = [call.at_ms for call in world.calls if call.usage]
    assert max(times) - min(times) > DAYS * 86_400_000 / 2


def test_cost_reports_keep_the_contract() -> None:
    """A cost report decodes by the contract."""
    question = next(call for call in build_world(7, Profile.TODAY, ("scraper",), size=SIZE).calls if call.usage)
    assert question.usage is not None
    cloud = Cloud(Profile.TODAY, random.Random(1), random.Random(1))
    report = cloud.cost(question.fields, question.usage, 12, 1, 1, is_free=False)
    reading = Reader(CostPayload).read(msgspec.json.encode(report))
    assert reading.malformed == ()
    assert reading.value.cost == 12
