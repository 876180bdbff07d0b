"""The record as it is shown: sections, times for people, and two states of "blocked" side by side."""

from typing import Any

from abuse_service.console_api.record_view import record_view
from abuse_service.testing import NOW_MS, World, entity_of, event, in_each_order, sent, signed_in

EARLIER, LATER = NOW_MS - 2000, NOW_MS - 1000
EARLIER_AT, LATER_AT, NOW_AT = (f"2025-06-15T15:06:{second}.000Z" for second in (38, 39, 40))


def shown(world: World, user: str = "u1", at: int = NOW_MS) -> dict[str, Any]:
    """The record of a user as it is shown."""
    state = world.identity(f"user:{user}")
    listed = world.judge.find_listed(entity_of(world, user), state, (), at)
    return record_view(state.record, ended=world.projection.ended, listed=listed)


def test_cloud_block_says_who_and_why() -> None:
    """The cloud's state is shown with reason, author and time, and by what it is known."""
    blocked = sent("user.blocked", EARLIER, reason="spam", actor_email="ops@example.com")
    for world in in_each_order(blocked, signed_in(LATER, is_blocked=False)):
        assert shown(world)["blocked_by_cloud"] == {
            "said_by": "event", "is_blocked": True, "at": EARLIER_AT, "reason": "spam",
            "actor_email": "ops@example.com",
        }  # fmt: skip
    world = World()
    world.sign_in(occurred_at=LATER, is_blocked=True)
    assert shown(world)["blocked_by_cloud"] == {"said_by": "snapshot", "is_blocked": True, "at": LATER_AT}
    world.sign_in("u2")
    assert shown(world, "u2")["blocked_by_cloud"] == {"said_by": None, "is_blocked": False}


def test_restriction_stands_beside_the_block() -> None:
    """The service's own restriction has reason, author and expiry, and is no block of the cloud's."""
    world = World()
    world.sign_in()
    world.change_list("blocked", "user:u1", reason="resells", at=EARLIER, expires_at=NOW_MS + 1000)
    view = shown(world)
    assert view["blocked_by_cloud"]["is_blocked"] is False
    assert view["restricted_by_service"] == {
        "is_restricted": True,
        "is_trusted": False,
        "has_exception": False,
        "lists": [
            {
                "list": "blocked", "by": "user", "reason": "resells", "actor": "operator", "since": EARLIER_AT,
                "expires_at": "2025-06-15T15:06:41.000Z",
            }
        ],
    }  # fmt: skip
    assert shown(world, at=NOW_MS + 1000)["restricted_by_service"]["is_restricted"] is False


def test_sign_in_lifts_no_restriction() -> None:
    """A sign-in that says the account is not blocked, or the cloud's unblock, leaves the service's restriction."""
    world = World()
    world.send(event("user.blocked", EARLIER, kilo_user_id="u1"))
    world.change_list("blocked", "user:u1", at=EARLIER)
    world.sign_in(occurred_at=LATER, is_blocked=False)
    assert shown(world)["blocked_by_cloud"]["is_blocked"] is True
    assert shown(world)["restricted_by_service"]["is_restricted"] is True
    world.send(event("user.unblocked", LATER, kilo_user_id="u1"))
    view = shown(world)
    assert view["blocked_by_cloud"]["is_blocked"] is False
    assert view["restricted_by_service"]["is_restricted"] is True
    assert view["restricted_by_service"]["has_exception"] is True


def test_lifted_restriction_leaves_an_exception() -> None:
    """Who is taken out of the list is no more restricted, and an exception says so."""
    world = World()
    world.sign_in()
    world.change_list("blocked", "user:u1")
    world.change_list("blocked", "user:u1", "removed", reason="appealed")
    view = shown(world)["restricted_by_service"]
    assert (view["is_restricted"], view["has_exception"]) == (False, True)
    assert [(one["list"], one["reason"]) for one in view["lists"]] == [("unblocked", "appealed")]


def test_every_section_is_shown() -> None:
    """What a record holds is shown with times for people: networks, checks, memberships, credits, Stripe, spend."""
    world = World()
    network = {"ip_address": "192.0.2.1", "geo_country": "AT", "user_agent": "curl/8", "ja4_digest": "j"}
    world.sign_in(occurred_at=EARLIER, stytch_verdict_action="ALLOW", **network)
    world.send(event("org.member_added", EARLIER, kilo_user_id="u1", organization_id="o1", role="owner"))
    purchase = {"microdollars_acquired": 5, "total_microdollars_acquired": 9}
    world.send(event("billing.credit_purchased", LATER, kilo_user_id="u1", **purchase))
    said = {"id": "pi_1", "latest_charge": "ch_1", "amount": 500, "currency": "usd", "customer": "cus_1"}
    said |= {"card": {"fingerprint": "c1", "brand": "visa"}}
    world.send(event("stripe.payment_intent.succeeded", LATER, kilo_user_id="u1", **said))
    world.send(event("stripe.charge.dispute.created", NOW_MS, charge="ch_1", reason="fraudulent"))
    world.report_cost(cost=7, occurred_at=NOW_MS)
    view = shown(world)
    minute = "2025-06-15T15:06:00.000Z"
    seen = {"first_seen_at": minute, "last_seen_at": minute, "events": 1}
    assert view["networks"] == {
        "addresses": [{"ip_address": "192.0.2.1", "geo_country": "AT"} | seen],
        "clients": [{"ja4_digest": "j", "user_agent": "curl/8"} | seen],
    }
    assert view["checks"] == [{"at": EARLIER_AT, "verdict": "ALLOW"}]
    assert view["memberships"] == {"o1": {"is_member": True, "role": "owner", "since": EARLIER_AT, "until": None}}
    credits = view["credits"]
    assert (credits["unexplained_microdollars"], credits["history"]) == (4, [{"at": LATER_AT, "microdollars": 5}])
    stripe = view["stripe"]
    assert stripe["customers"] == ["cus_1"]
    assert stripe["cards"] == {"c1": {"brand": "visa", "first_seen_at": LATER_AT, "last_seen_at": LATER_AT}}
    assert stripe["charges"] == [
        {"at": LATER_AT, "is_paid": True, "amount": 500, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1",
         "card": "c1"}
    ]  # fmt: skip
    assert stripe["disputes"] == {"ch_1": {"charge": "ch_1", "reason": "fraudulent"}}
    assert view["spend"]["hours"] == {"2025-06-15T15:00:00.000Z": 7}
    assert view["spend"]["days"] == {"2025-06-15": 7}
