"""Webhooks that come twice, at once and in any order leave the same money, the same pass, the same events."""

from collections import Counter
from typing import Any

import pytest

from cloud.story.deeds import DISPUTED_CARD, STOLEN_CARD, WARNED_CARD
from cloud.story.person import Person
from cloud.testing import Town

SEEDS = range(4)
PAGES = (("/billing/credits", {"amount_cents": 2_000}), ("/billing/pass", {"tier": "tier_49"}))


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


def live(town: Town, person: Person) -> str:
    """Buy, be declined, hold a pass for two months, be warned about and disputed; return the subscription."""
    credits, monthly = (person.do("POST", path, json=wish).json() for path, wish in PAGES)
    person.pay(credits, STOLEN_CARD)
    person.pay(credits)
    person.pay(monthly)
    for number in (WARNED_CARD, DISPUTED_CARD):
        person.pay(person.do("POST", "/billing/credits", json={"amount_cents": 500}).json(), number)
    customer = person.do("POST", "/billing/customer").json()["stripe_customer_id"]
    subscription = next(town.running.stripe.every("subscription", customer=customer))
    address = f"{town.running.stripe.base_url}/local/subscriptions/{subscription['id']}/renew"
    person.http.post(address).raise_for_status()
    return str(subscription["id"])


@pytest.mark.parametrize("seed", SEEDS)
def test_disorder_changes_nothing(town: Town, user: Person, seed: int) -> None:
    """Three copies of each event, shuffled and delivered at once, count like one of each in order."""
    webhooks = town.running.stripe.webhooks
    webhooks.hold()
    live(town, user)
    webhooks.release(copies=3, seed=seed)
    told = town.events()
    assert {event["data"].get("kilo_user_id") for event in told} == {user.kilo_user_id}
    assert Counter(event["type"] for event in told if event["type"].startswith(("stripe", "billing.credit"))) == {
        "billing.credit_purchased": 5,
        "stripe.charge.failed": 1,
        "stripe.charge.dispute.created": 1,
        "stripe.charge.dispute.funds_withdrawn": 1,
        "stripe.payment_intent.succeeded": 5,
        "stripe.payment_method.attached": 4,
        "stripe.radar.early_fraud_warning.created": 1,
    }
    credits = [event["data"] for event in told if event["type"] == "billing.credit_purchased"]
    assert sum(data["microdollars_acquired"] for data in credits) == 20_000_000 + 2 * 49_000_000 + 2 * 5_000_000
    assert max(data["total_microdollars_acquired"] for data in credits) == 128_000_000
    last = max(
        (event for event in told if event["type"] == "billing.kilo_pass_changed"), key=lambda e: e["occurred_at"]
    )
    assert (last["data"]["tier"], last["data"]["status"], last["data"]["streak_months"]) == ("tier_49", "active", 2)
    assert user.do("GET", "/account").json()["balance_microdollars"] == 128_000_000 - 5_000_000


def test_outage_loses_no_webhook(town: Town, user: Person, monkeypatch: Any) -> None:
    """Stripe asks again after a failure of ours, and the event counts once."""
    monkeypatch.setattr(type(town.running.stripe.webhooks), "_post", failing_first(town.running.stripe.webhooks))
    user.pay(user.do("POST", "/billing/credits", json={"amount_cents": 700}).json())
    assert len(town.events("billing.credit_purchased")) == 1


def failing_first(webhooks: Any) -> Any:
    """Deliver each event, and lose the answer to its first delivery."""
    deliver, seen = type(webhooks)._post, set[str]()

    def post(self: Any, event: dict[str, Any]) -> int | None:
        status = deliver(self, event)
        is_first = event["id"] not in seen
        seen.add(event["id"])
        return None if is_first else status

    return post
