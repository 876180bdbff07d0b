"""Cancel-and-refund and accepted disputes, through Stripe and back."""

from typing import Any

import pytest

from cloud.billing.ledger import book_usage
from cloud.billing.owners import Owner
from cloud.story.deeds import DISPUTED_CARD, buy, hold_pass
from cloud.story.person import Person
from cloud.testing import Town
from cloud.testing.stripe_desk import dispute, payment_intent


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


def balance(person: Person) -> int:
    found: int = person.do("GET", "/account").json()["balance_microdollars"]
    return found


def settle(town: Town, person: Person) -> Any:
    path = f"/admin/users/{person.kilo_user_id}/cancel-and-refund"
    return town.admin.do("POST", path, json={"reason": "stolen card"}).json()


def test_everything_is_paid_back(town: Town, user: Person) -> None:
    """The pass ends, each payment is paid back, the credits are gone, and the user is blocked with actor and reason."""
    buy(user, 2_000)
    hold_pass(user, "tier_19")
    town.forget()
    answer = settle(town, user)
    assert (answer["changed"], len(answer["cancelled_subscriptions"]), len(answer["refunds"])) == (True, 1, 2)
    told = {event["type"]: event["data"] for event in town.events()}
    assert told["user.blocked"] == {
        "kilo_user_id": user.kilo_user_id,
        "reason": "cancelled and refunded: stolen card",
        "actor_email": town.admin.email,
    }
    assert (told["billing.kilo_pass_changed"]["status"], told["billing.kilo_pass_changed"]["streak_months"]) == (
        "canceled",
        0,
    )
    unblock(town, user)
    assert balance(user) == 0


def unblock(town: Town, person: Person) -> None:
    town.admin.do("POST", f"/admin/users/{person.kilo_user_id}/unblock", json={"reason": "to look"})
    person.come_in()


def test_second_settlement_changes_nothing(town: Town, user: Person) -> None:
    """Done again, after half of it failed or by another administrator, it pays nothing twice and reports nothing."""
    buy(user, 2_000)
    settle(town, user)
    town.forget()
    assert settle(town, user) == {"changed": False, "cancelled_subscriptions": [], "refunds": []}
    assert town.events() == []


def test_settlement_without_payments_blocks(town: Town, user: Person) -> None:
    """Who never paid anything is blocked all the same."""
    assert settle(town, user) == {"changed": True, "cancelled_subscriptions": [], "refunds": []}
    assert [event["type"] for event in town.events()] == ["user.blocked"]


def test_withdrawn_money_takes_credits(town: Town, user: Person) -> None:
    """Credits of a payment that its card's holder disputed are gone with the money."""
    buy(user, 2_000, DISPUTED_CARD)
    assert balance(user) == 0


def test_won_dispute_gives_credits_back(town: Town, user: Person) -> None:
    """Money that comes back after a dispute gives its credits back, once, and is no purchase."""
    buy(user, 2_000, DISPUTED_CARD)
    claim = next(town.running.stripe.every("dispute"))
    town.forget()
    for _ in range(2):
        town.desk.post("charge.dispute.funds_reinstated", claim | {"status": "won"}).raise_for_status()
    assert balance(user) == 20_000_000
    assert town.events() == []


@pytest.mark.parametrize("spent", [0, 700])
def test_early_withdrawal_takes_credits(town: Town, user: Person, spent: int) -> None:
    """A dispute that is told before its payment takes the payment's credits all the same, and no others twice."""
    if spent:
        buy(user, 1_000)
        with town.running.cloud.transaction() as work:
            book_usage(work, Owner(user_id=user.kilo_user_id), spent * 10_000, "message")
    town.forget()
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    payment = payment_intent(customer, 2_000, user.kilo_user_id)
    town.desk.post("payment_intent.created", payment | {"status": "processing"}).raise_for_status()
    town.desk.post("charge.dispute.funds_withdrawn", dispute(payment, "fraudulent")).raise_for_status()
    town.desk.post("payment_intent.succeeded", payment).raise_for_status()
    assert balance(user) == (0 if not spent else 3_000_000)
    claim = dispute(payment, "fraudulent") | {"status": "won"}
    town.desk.post("charge.dispute.funds_reinstated", claim).raise_for_status()
    assert balance(user) == (20_000_000 if not spent else 23_000_000)


def test_accepted_dispute_blocks(town: Town, user: Person) -> None:
    """Accepting a dispute blocks whose payment it was, once, with actor and reason; Stripe has lost it then."""
    buy(user, 2_000, DISPUTED_CARD)
    claim = next(town.running.stripe.every("dispute"))
    town.forget()
    path = f"/admin/disputes/{claim['id']}/accept"
    for _ in range(2):
        answer = town.admin.do("POST", path, json={"reason": "no evidence"}).json()
        assert answer == {"kilo_user_id": user.kilo_user_id}
    assert claim["status"] == "lost"
    [event] = town.events("user.blocked")
    assert event["data"]["actor_email"] == town.admin.email
    assert event["data"]["reason"] == f"dispute {claim['id']} was accepted: no evidence"


def test_dispute_accepted_at_stripe_blocks(town: Town, user: Person) -> None:
    """A dispute that is accepted on Stripe's own pages blocks too, by a rule and in nobody's name."""
    buy(user, 2_000, DISPUTED_CARD)
    claim = next(town.running.stripe.every("dispute"))
    town.forget()
    town.desk.post("charge.dispute.closed", claim | {"status": "lost"}).raise_for_status()
    [event] = town.events("user.blocked")
    assert event["data"] == {"kilo_user_id": user.kilo_user_id, "reason": "automatic: a dispute was accepted"}


def test_unknown_dispute_is_refused(town: Town) -> None:
    """A dispute that Stripe does not know blocks nobody."""
    answer = town.admin.send("POST", "/admin/disputes/dp_nobody/accept", json={"reason": "r"})
    assert answer.status_code == 409
    assert town.events() == []
