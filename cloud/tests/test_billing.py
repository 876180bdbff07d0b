"""Credits and the monthly pass."""

import time

import pytest

from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing import Town
from cloud.testing.stripe_desk import paid_invoice, subscription


@pytest.fixture
def customer(town: Town, user: Person) -> str:
    found: str = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    return found


def test_purchase_tells_lifetime_total(town: Town, user: Person) -> None:
    """Bought credits are told in microdollars, with the total after them, as paid."""
    buy(user, 2_000)
    buy(user, 500)
    first, second = (event["data"] for event in town.events("billing.credit_purchased"))
    assert first == {
        "kilo_user_id": user.kilo_user_id,
        "microdollars_acquired": 20_000_000,
        "total_microdollars_acquired": 20_000_000,
        "is_free": False,
    }
    assert (second["microdollars_acquired"], second["total_microdollars_acquired"]) == (5_000_000, 25_000_000)
    assert user.do("GET", "/account").json()["balance_microdollars"] == 25_000_000


def test_grant_is_told_as_free(town: Town, user: Person) -> None:
    """Credits that nobody paid for say so."""
    wish = {"microdollars": 3_000_000, "note": "sorry"}
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/credits", json=wish)
    [event] = town.events()
    assert event["type"] == "billing.credit_purchased"
    assert event["data"]["is_free"] is True
    assert event["data"]["total_microdollars_acquired"] == 3_000_000


@pytest.mark.parametrize("microdollars", [0, -1])
def test_grants_are_positive_only(town: Town, user: Person, microdollars: int) -> None:
    """A grant of nothing or less is refused and reports nothing."""
    wish = {"microdollars": microdollars, "note": "sorry"}
    path = f"/admin/users/{user.kilo_user_id}/credits"
    assert town.admin.send("POST", path, json=wish).status_code == 422
    assert town.events() == []


def test_opened_payment_books_nothing(town: Town, user: Person) -> None:
    """Credits arrive when Stripe reports the payment, not when it is opened."""
    user.do("POST", "/billing/credits", json={"amount_cents": 1_000})
    assert user.do("GET", "/account").json()["balance_microdollars"] == 0
    assert town.events() == []


def test_pass_follows_its_subscription(town: Town, user: Person, customer: str) -> None:
    """Tier and status are told as Stripe has them, the streak with each paid invoice, and 0 at the end."""
    begun = subscription(customer, "tier_49")
    town.desk.post("customer.subscription.created", begun).raise_for_status()
    town.desk.post("invoice.paid", paid_invoice(customer, "tier_49", 4_900)).raise_for_status()
    town.desk.post("customer.subscription.updated", begun | {"status": "past_due"}).raise_for_status()
    town.desk.post("customer.subscription.deleted", begun | {"status": "canceled"}).raise_for_status()
    told = [event["data"] for event in town.events("billing.kilo_pass_changed")]
    assert {data["kilo_user_id"] for data in told} == {user.kilo_user_id}
    assert [(data["tier"], data["status"], data["streak_months"]) for data in told] == [
        ("tier_49", "active", 0),
        ("tier_49", "active", 1),
        ("tier_49", "past_due", 1),
        ("tier_49", "canceled", 0),
    ]
    [credits] = town.events("billing.credit_purchased")
    assert credits["data"]["microdollars_acquired"] == 49_000_000


def test_changes_within_second_keep_order(town: Town, customer: str) -> None:
    """Stripe tells whole seconds; two changes within one still carry times that tell which came last."""
    now = int(time.time())
    town.desk.post("customer.subscription.created", subscription(customer, "tier_19"), created=now).raise_for_status()
    town.desk.post("invoice.paid", paid_invoice(customer, "tier_19", 1_900), created=now).raise_for_status()
    first, second = town.events("billing.kilo_pass_changed")
    assert first["occurred_at"] == now * 1000
    assert second["occurred_at"] == now * 1000 + 1


def test_unchanged_pass_reports_nothing(town: Town, customer: str) -> None:
    """A subscription event that changes neither tier nor status nor streak is no change."""
    begun = subscription(customer, "tier_19")
    for _ in range(2):
        town.desk.post("customer.subscription.updated", begun).raise_for_status()
    assert len(town.events("billing.kilo_pass_changed")) == 1


def test_invoice_before_subscription_counts(town: Town, customer: str) -> None:
    """Stripe keeps no order: the first invoice may come before its subscription, and the month is not lost."""
    town.desk.post("invoice.paid", paid_invoice(customer, "tier_19", 1_900)).raise_for_status()
    town.desk.post("customer.subscription.created", subscription(customer, "tier_19")).raise_for_status()
    told = [event["data"] for event in town.events("billing.kilo_pass_changed")]
    assert [(data["tier"], data["status"], data["streak_months"]) for data in told] == [("tier_19", "active", 1)]


def test_late_subscription_event_is_ignored(town: Town, customer: str) -> None:
    """An older word about the subscription that comes later does not bring the old state back."""
    now = int(time.time())
    ended = subscription(customer, "tier_19", "canceled")
    town.desk.post("customer.subscription.deleted", ended, created=now).raise_for_status()
    late = ended | {"status": "active"}
    town.desk.post("customer.subscription.updated", late, created=now - 60).raise_for_status()
    assert [event["data"]["status"] for event in town.events("billing.kilo_pass_changed")] == ["canceled"]


def test_same_invoice_is_booked_once(town: Town, user: Person, customer: str) -> None:
    """Two events about one invoice book its credits and lengthen the streak once."""
    town.desk.post("customer.subscription.created", subscription(customer, "tier_19")).raise_for_status()
    invoice = paid_invoice(customer, "tier_19", 1_900)
    for _ in range(2):
        town.desk.post("invoice.paid", invoice).raise_for_status()
    assert len(town.events("billing.credit_purchased")) == 1
    assert town.events("billing.kilo_pass_changed")[-1]["data"]["streak_months"] == 1
