"""The record: which of two values stays, who owns what, and what says nothing."""

from typing import Any

import pytest

from abuse_service.identities import facts
from abuse_service.identities.fold_requests import MOST_HOURS
from abuse_service.identities.fold_stripe import MOST_CURRENCIES, MOST_KEPT
from abuse_service.identities.merge import flatten, newest
from abuse_service.identities.record import MOST_CHECKS, MOST_HISTORY, Charge, Check
from abuse_service.identities.spend_rows import read_spend
from abuse_service.testing import NOW_MS, Telling, World, event, in_each_order, sent, signed_in

EARLIER, LATER = NOW_MS - 2000, NOW_MS - 1000
DAY_MS = 86_400_000

# the profile


def test_newest_value_wins_field_by_field() -> None:
    """Of each field the value of the newest event stays, whatever arrived last."""
    for world in in_each_order(
        signed_in(EARLIER, geo_city="Graz", geo_country="AT"), signed_in(LATER, geo_city="Ulm", user_agent="curl/8")
    ):
        profile = flatten(world.record().profile)
        assert (profile["geo_city"], profile["geo_country"], profile["user_agent"]) == ("Ulm", "AT", "curl/8")


def test_false_is_said() -> None:
    """``false`` is a value and replaces ``true``."""
    for world in in_each_order(signed_in(EARLIER, is_bot=True), signed_in(LATER, is_bot=False)):
        assert newest(world.record().profile, "is_bot") is False


@pytest.mark.parametrize("nothing", [{}, {"cohorts": None}, {"cohorts": []}], ids=["absent", "null", "empty"])
def test_absent_null_and_empty_say_nothing(nothing: dict[str, Any]) -> None:
    """A field that is absent, null or an empty list erases nothing."""
    for world in in_each_order(signed_in(EARLIER, cohorts=["b", "a"]), signed_in(LATER, **nothing)):
        assert newest(world.record().profile, "cohorts") == ["a", "b"]


def test_malformed_field_is_counted_and_absent() -> None:
    """A field of a wrong type is kept in the event, counted, and says nothing."""
    world = World()
    reading = world.read_auth(is_bot="yes", cohorts="a", geo_city=5, org_memberships=[{"role": "x"}, 5])
    assert set(reading.malformed) == {
        "is_bot", "cohorts", "geo_city", "org_memberships[0].organization_id", "org_memberships[1]",
    }  # fmt: skip
    assert b'"is_bot":"yes"' in reading.event.body
    assert (reading.payload.is_bot, reading.payload.cohorts, reading.payload.org_memberships) == (None, None, [])


@pytest.mark.parametrize("field", ["signup_ip", "signup_ja4_digest", "signup_geo_country"])
def test_signup_keeps_the_first(field: str) -> None:
    """Of the sign-up snapshot the first value stays; different later ones are kept as conflicts, repeats are none."""
    for world in in_each_order(
        signed_in(EARLIER, **{field: "first"}),
        signed_in(EARLIER + 1, **{field: None}),
        signed_in(LATER, **{field: "second"}),
        signed_in(NOW_MS, **{field: "first"}),
    ):
        assert [value for _, value in world.record().signup[field]] == ["first", "second"]


def test_long_text_is_cut() -> None:
    """A record keeps a thousand characters of a text; the event keeps all."""
    world = World()
    world.sign_in(geo_city="x" * 5000)
    assert newest(world.record().profile, "geo_city") == "x" * 1024
    assert b"x" * 5000 in world.log.events[0].body


# e-mail


def test_email_history_is_distinct() -> None:
    """Each address stands once in the history, when it was said last, the newest last; sign-ins crowd out nothing."""
    world = World()
    world.send(event("user.email_changed", NOW_MS, kilo_user_id="u1", email="b@example.com"))
    for number in range(2 * MOST_HISTORY):
        world.sign_in(occurred_at=NOW_MS - 1000 + number, email="a@example.com")
    assert [email for _, email in world.record().emails] == ["a@example.com", "b@example.com"]


def test_email_change_names_the_one_before() -> None:
    """The previous address is in the history too, also when no sign-in ever said it, and whatever came first."""
    changed = sent("user.email_changed", LATER, email="new@example.com", previous_email="old@example.com")
    for world in in_each_order(signed_in(EARLIER, email="old@example.com"), changed):
        assert [email for _, email in world.record().emails] == ["old@example.com", "new@example.com"]
        assert newest(world.record().profile, "email") == "new@example.com"


def test_stale_sign_in_changes_no_email() -> None:
    """A sign-in from before the change, told late, does not bring the old address back."""
    changed = sent("user.email_changed", LATER, email="new@example.com")
    for world in in_each_order(signed_in(EARLIER), changed):
        assert newest(world.record().profile, "email") == "new@example.com"


def test_changed_email_is_judged() -> None:
    """A change to a disposable address is noticed as one at sign-up is."""
    world = World()
    world.send(event("user.email_changed", kilo_user_id="u1", email="ada9@mailinator.com"))
    state = world.identity("user:u1")
    assert (state.is_disposable_email, state.mailbox_digits) == (True, 1)


# checks


def test_checks_keep_their_history() -> None:
    """Each outcome of the device check stands once, when it was said last; one that says nothing is none."""
    first = {"stytch_verdict_action": "CHALLENGE", "stytch_session_id": "s1", "stytch_is_authentic_device": False}
    then = {"stytch_verdict_action": "ALLOW", "stytch_session_id": "s2", "has_validation_stytch": True}
    for world in in_each_order(
        signed_in(EARLIER, **first), signed_in(EARLIER + 1, **first), signed_in(LATER, **then), signed_in(NOW_MS)
    ):
        assert [(stamp[0], check) for stamp, check in world.record().checks] == [
            (EARLIER + 1, Check("CHALLENGE", False, session_id="s1")),
            (LATER, Check("ALLOW", session_id="s2", has_passed=True)),
        ]


def test_checks_are_bounded() -> None:
    """The outcomes that were said last stay."""
    world = World()
    for number in range(2 * MOST_CHECKS):
        world.sign_in(occurred_at=NOW_MS - number, stytch_session_id=f"s{number}")
    assert [check.session_id for _, check in world.record().checks] == [f"s{n}" for n in range(MOST_CHECKS)][::-1]


# blocks


@pytest.mark.parametrize("snapshot", [True, False, None])
def test_snapshot_never_overrules_block_events(snapshot: bool | None) -> None:
    """A sign-in that was read before a block and stamped after it lifts nothing, and one does not block anew either."""
    for world in in_each_order(sent("user.blocked", EARLIER, reason="spam"), signed_in(LATER, is_blocked=snapshot)):
        assert facts.is_blocked(world.record())
    lifted = sent("user.unblocked", EARLIER + 1)
    for world in in_each_order(sent("user.blocked", EARLIER), lifted, signed_in(LATER, is_blocked=snapshot)):
        assert not facts.is_blocked(world.record())
        assert facts.was_unblocked(world.record())


def test_snapshot_fills_the_gap() -> None:
    """Where no event ever said so, the newest snapshot says whether a user is blocked."""
    for world in in_each_order(signed_in(EARLIER, is_blocked=True), signed_in(LATER)):
        assert facts.is_blocked(world.record())
    for world in in_each_order(signed_in(EARLIER, is_blocked=True), signed_in(LATER, is_blocked=False)):
        assert not facts.is_blocked(world.record())
        assert not facts.was_unblocked(world.record())


def test_blocks_keep_reason_and_actor() -> None:
    """Each block is kept with its reason, who did it and when, oldest first."""
    for world in in_each_order(
        sent("user.blocked", EARLIER, reason="spam", actor_email="ops@example.com"), sent("user.unblocked", LATER)
    ):
        first, second = world.record().blocks
        assert (first.is_blocked, first.reason, first.actor_email, first.stamp[0]) == (
            True, "spam", "ops@example.com", EARLIER,
        )  # fmt: skip
        assert (second.is_blocked, second.stamp[0]) == (False, LATER)


def test_block_beats_unblock_of_the_same_instant() -> None:
    """Of a block and an unblock at one millisecond the block stands, in either order."""
    for world in in_each_order(sent("user.blocked", LATER), sent("user.unblocked", LATER)):
        assert facts.is_blocked(world.record())


def test_histories_keep_the_newest() -> None:
    """Histories are bounded, and it is the newest entries that stay."""
    world = World()
    for number in range(3 * MOST_HISTORY):
        world.send(event("user.blocked", NOW_MS - number, kilo_user_id="u1"))
        world.send(event("billing.kilo_pass_changed", NOW_MS - number, kilo_user_id="u1", streak_months=number))
    assert [block.stamp[0] for block in world.record().blocks] == list(range(NOW_MS - MOST_HISTORY + 1, NOW_MS + 1))
    assert len(world.record().pass_history) == MOST_HISTORY
    assert newest(world.record().pass_layers, "streak_months") == 0


# money


def test_paid_and_free_stay_apart() -> None:
    """Bought credits and grants are totalled apart; the total that the cloud reported is kept beside them."""
    for world in in_each_order(
        sent("billing.credit_purchased", EARLIER, microdollars_acquired=5_000_000, total_microdollars_acquired=9),
        sent("billing.credit_purchased", LATER, microdollars_acquired=7, is_free=True, total_microdollars_acquired=8),
        sent("billing.credit_purchased", EARLIER - 5, microdollars_acquired=1, is_free=False),
    ):
        credits = world.record().credits
        assert (credits.purchases, credits.paid_microdollars, credits.grants, credits.free_microdollars) == (
            2, 5_000_001, 1, 7,
        )  # fmt: skip
        assert credits.first_paid_at_ms == EARLIER - 5
        assert newest(credits.reported_total, "microdollars") == 8
        assert facts.is_paying(world.record(), world.projection.ended)


@pytest.mark.parametrize(
    ("plan", "in_free_trial", "pays"),
    [("teams", None, True), ("teams", True, False), ("free", None, False), ("Free", None, False), (None, None, False)],
)
def test_paid_plan_makes_paying(plan: str | None, in_free_trial: bool | None, pays: bool) -> None:
    """A member of an organization on a paid plan that is not in trial pays, however the plan is spelt."""
    world = World()
    said = {"organization_id": "o1", "plan": plan, "in_free_trial": in_free_trial}
    world.send(event("org.member_added", kilo_user_id="u1", **said))
    assert facts.is_paying(world.record(), world.projection.ended) is pays


def bought(at: int, microdollars: int, total: int | None = None, *, is_free: bool | None = None) -> Telling:
    """The telling of a purchase."""
    said = {"microdollars_acquired": microdollars, "total_microdollars_acquired": total, "is_free": is_free}
    return sent("billing.credit_purchased", at, **said)


def test_reported_total_is_held_against_what_was_told() -> None:
    """The newest total that the cloud reported, less all that it told up to then, is the difference that is shown."""
    for world in in_each_order(bought(EARLIER, 5, 5), bought(LATER, 7, 12, is_free=True), bought(NOW_MS, 100)):
        assert facts.unexplained_microdollars(world.record()) == 0
    for world in in_each_order(bought(EARLIER, 5), bought(LATER, 7, 20)):
        assert facts.unexplained_microdollars(world.record()) == 8


def test_nothing_reported_nothing_unexplained() -> None:
    """Without a total, or with more purchases since than are kept, there is no difference to show."""
    world = World()
    bought(EARLIER, 5)(world)
    assert facts.unexplained_microdollars(world.record()) is None
    bought(EARLIER + 1, 5, 10)(world)
    for number in range(MOST_HISTORY - 1):
        bought(LATER + number, 1)(world)
    assert facts.unexplained_microdollars(world.record()) == 0
    bought(NOW_MS, 1)(world)
    assert facts.unexplained_microdollars(world.record()) is None
    assert world.record().credits.paid_microdollars == 10 + MOST_HISTORY


def test_grant_alone_does_not_pay() -> None:
    """Who was only given credits is not paying."""
    world = World()
    world.send(event("billing.credit_purchased", kilo_user_id="u1", microdollars_acquired=7, is_free=True))
    assert not facts.is_paying(world.record(), world.projection.ended)


@pytest.mark.parametrize(
    ("said", "active"),
    [
        ({"tier": "tier_19", "status": "active"}, True),
        ({"tier": "tier_19", "status": "past_due"}, True),
        ({"tier": "tier_19", "status": "canceled"}, False),
        ({"tier": "free", "status": "active"}, False),
        ({"status": "active"}, False),
        ({"tier": "tier_19"}, False),
    ],
)
def test_active_pass_makes_paying(said: dict[str, Any], active: bool) -> None:
    """A paid pass counts while its status is active."""
    world = World()
    world.send(event("billing.kilo_pass_changed", kilo_user_id="u1", **said))
    assert facts.is_paying(world.record(), world.projection.ended) is active


def test_pass_history_is_kept() -> None:
    """Each change of the pass is kept in order of time; what a change does not say stays."""
    for world in in_each_order(
        sent("billing.kilo_pass_changed", EARLIER, tier="tier_19", status="active", streak_months=3),
        sent("billing.kilo_pass_changed", LATER, status="canceled"),
    ):
        assert [said for _, said in world.record().pass_history] == [
            {"tier": "tier_19", "status": "active", "streak_months": 3}, {"status": "canceled"},
        ]  # fmt: skip
        assert flatten(world.record().pass_layers) == {"tier": "tier_19", "status": "canceled", "streak_months": 3}


def test_spend_takes_corrections() -> None:
    """Costs and tokens add up, negative costs correct, and one report counts once."""
    world = World()
    for request_id, cost in ((1, 1000), (2, 500), (1, 1000), (3, -200)):
        world.report_cost(request_id=request_id, cost=cost, input_tokens=10, output_tokens=None)
    spend = world.record().spend
    assert (spend.reports, spend.cost_microdollars, spend.input_tokens, spend.output_tokens) == (3, 1300, 30, 0)


def test_spend_is_kept_by_hour_and_day() -> None:
    """Costs stand by the hour and the day when they were reported; the newest stay, in any order."""
    hour_ms = 3_600_000
    numbers = range(2 * MOST_HOURS)
    spends = []
    for order in (numbers, numbers[::-1]):
        world = World()
        for number in order:
            for request_id, cost in ((2 * number + 1, number), (2 * number + 2, -1)):
                at = NOW_MS - number * hour_ms
                world.report_cost(request_id=request_id, cost=cost, occurred_at=at)
        spends.append(world.record().spend)
    assert spends[0] == spends[1]
    newest_hour = NOW_MS // hour_ms
    assert list(read_spend(spends[0].hours)) == [(newest_hour - n, n - 1) for n in range(MOST_HOURS)][::-1]
    assert sum(cost for _, cost in read_spend(spends[0].days)) == spends[0].cost_microdollars


# Stripe


def test_cards_are_known_by_their_fingerprint() -> None:
    """One card on two methods is one card; what was said of it last stays, and when it was seen first and last."""
    for world in in_each_order(
        sent("stripe.payment_method.attached", EARLIER, id="pm_1", card={"fingerprint": "c1", "brand": "visa"}),
        sent("stripe.payment_method.attached", LATER, id="pm_2", card={"fingerprint": "c1", "country": "AT"}),
    ):
        stripe = world.record().stripe
        assert [stripe.methods[name][-1][1]["card"] for name in ("pm_1", "pm_2")] == ["c1", "c1"]
        [card] = stripe.cards.values()
        assert (card.first_seen_ms, card.last_seen_ms) == (EARLIER, LATER)
        assert flatten(card.said) == {"brand": "visa", "country": "AT"}


def test_charges_are_kept_one_by_one() -> None:
    """Each attempt to charge is kept with its outcome, the newest last, beside the totals of all."""
    for world in in_each_order(
        sent("stripe.charge.failed", EARLIER, id="ch_1", amount=500, currency="usd", decline_code="stolen_card"),
        sent("stripe.payment_intent.succeeded", LATER, id="pi_1", amount_received=300, currency="usd"),
    ):
        stripe = world.record().stripe
        assert [charge for _, charge in stripe.charges] == [
            Charge(False, 500, "usd", "stolen_card", "ch_1"), Charge(True, 300, "usd", payment_intent="pi_1"),
        ]  # fmt: skip
        assert (stripe.failures, stripe.paid_amounts) == ({"stolen_card": 1}, {"usd": 300})


def test_made_up_codes_are_bounded() -> None:
    """Decline codes and currencies that a sender makes up take no more room than there is, the same in any order."""
    codes = [f"code_{number:03}" for number in range(2 * MOST_KEPT)]
    records = []
    for order in (codes, codes[::-1]):
        world = World()
        for code in order:
            world.send(event("stripe.charge.failed", NOW_MS, code, kilo_user_id="u1", decline_code=code))
            said = {"amount": 1, "currency": code[-3:]}
            world.send(event("stripe.payment_intent.succeeded", NOW_MS, code, kilo_user_id="u1", **said))
        records.append(world.record())
    assert records[0] == records[1]
    stripe = records[0].stripe
    assert (len(stripe.failures), len(stripe.paid_amounts), stripe.payments) == (MOST_KEPT, MOST_CURRENCIES, len(codes))


# times


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2024-05-01T12:34:56.789Z", 1714566896789),
        ("2024-05-01 12:34:56.789+00", 1714566896789),
        ("2024-05-01 14:34:56.789+02", 1714566896789),
        ("2024-05-01T12:34:56.789", 1714566896789),
        ("2024-05-01 12:34:56.789123+00:00", 1714566896789),
        ("2024-05-01", 1714521600000),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", -62135647200000),
        ("9999-12-31T23:59:59-14:00", 253402351199000),
    ],
)
def test_account_time_is_read_liberally(text: str, at_ms: int | None) -> None:
    """ISO 8601 and a database's text are read alike; what is neither says nothing."""
    world = World()
    world.sign_in(account_created_at=text)
    assert facts.created_at_ms(world.record()) == at_ms


def test_first_and_last_seen_by_event_time() -> None:
    """An identity was first and last seen by the times of its events, whatever arrived first."""
    for world in in_each_order(signed_in(LATER), signed_in(EARLIER), sent("user.blocked", NOW_MS)):
        state = world.identity("user:u1")
        assert (state.first_seen_ms, state.last_seen_ms) == (EARLIER, NOW_MS)


def test_declines_that_mean_nothing() -> None:
    """Declines for want of money or by an outage are kept and left out of what counts against a user."""
    world = World()
    for code in ("insufficient_funds", "stolen_card", "processing_error", None, "stolen_card"):
        world.send(event("stripe.charge.failed", kilo_user_id="u1", decline_code=code))
    assert world.record().stripe.failures == {
        "insufficient_funds": 1, "stolen_card": 2, "processing_error": 1, "unknown": 1,
    }  # fmt: skip
    assert facts.declined_charges(world.record()) == 3


def test_every_event_is_counted() -> None:
    """Each type is counted in the record; types that nobody knows are counted together."""
    world = World()
    world.sign_up()
    world.send(*[event(f"made.up.{number}", kilo_user_id="u1") for number in range(5)])
    assert world.record().event_counts == {"auth.signup": 1, "unknown": 5}
