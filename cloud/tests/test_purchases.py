"""What is bought on Stripe's page: credits, passes, seats; and promotional codes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloud.billing.models import StripeOwner
from cloud.organizations.models import Organization
from cloud.story.deeds import STOLEN_CARD, hold_pass
from cloud.story.person import Person
from cloud.testing import Town

STATE = ("tier", "status", "streak_months")


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


@pytest.fixture
def organization(town: Town, user: Person) -> str:
    found: str = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    town.forget()
    return found


def balance(person: Person, organization_id: str | None = None) -> int:
    params = {"organization_id": organization_id} if organization_id else {}
    found: int = person.do("GET", "/billing/balance", params=params).json()["balance_microdollars"]
    return found


def buy_for(person: Person, organization_id: str, cents: int) -> None:
    wish = {"amount_cents": cents, "organization_id": organization_id}
    person.pay(person.do("POST", "/billing/credits", json=wish).json())


def told(town: Town, kind: str) -> list[Any]:
    return [event["data"] for event in town.events(kind)]


def test_organization_has_its_own_balance(town: Town, user: Person, organization: str) -> None:
    """An organization's credits are its own; the event names the buyer and the organization, and no total of his."""
    buy_for(user, organization, 2_000)
    assert (balance(user, organization), balance(user)) == (20_000_000, 0)
    [data] = told(town, "billing.credit_purchased")
    assert data == {
        "kilo_user_id": user.kilo_user_id,
        "organization_id": organization,
        "microdollars_acquired": 20_000_000,
        "is_free": False,
    }
    [paid] = told(town, "stripe.payment_intent.succeeded")
    assert (paid["kilo_user_id"], paid["organization_id"]) == (user.kilo_user_id, organization)


def test_member_spends_the_organizations(town: Town, user: Person, organization: str) -> None:
    """Who asks the gateway for an organization is paid for by it."""
    buy_for(user, organization, 500)
    user.chat(model="acme/standard-2", headers={"x-organization-id": organization}).raise_for_status()
    town.settle()
    assert 0 < balance(user, organization) < 5_000_000


def test_only_owners_buy_for_organizations(town: Town, organization: str, another: Person) -> None:
    """Nobody else spends an organization's money or looks at it."""
    wish = {"amount_cents": 2_000, "organization_id": organization}
    assert another.send("POST", "/billing/credits", json=wish).status_code == 403
    params = {"organization_id": organization}
    assert another.send("GET", "/billing/balance", params=params).status_code == 403
    assert another.send("GET", "/billing/cards", params=params).status_code == 403


def test_grant_to_organization_names_its_owner(town: Town, user: Person, organization: str) -> None:
    """A grant to an organization names its first owner and never the administrator, and is free."""
    path = f"/admin/organizations/{organization}/credits"
    town.admin.do("POST", path, json={"microdollars": 7_000_000, "note": "partner"})
    [data] = told(town, "billing.credit_purchased")
    assert (data["kilo_user_id"], data["organization_id"], data["is_free"]) == (user.kilo_user_id, organization, True)
    assert balance(user, organization) == 7_000_000


def test_shared_customer_credits_who_was_named(town: Town, user: Person, organization: str) -> None:
    """Where one customer is a person's and an organization's, credits go to whom the purchase was for."""
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    with town.running.cloud.database.writing() as session:
        session.get_one(Organization, organization).stripe_customer_id = customer
        session.get_one(StripeOwner, customer).organization_id = organization
    buy_for(user, organization, 1_000)
    user.pay(user.do("POST", "/billing/credits", json={"amount_cents": 300}).json())
    assert (balance(user, organization), balance(user)) == (10_000_000, 3_000_000)


def test_seats_follow_their_subscription(town: Town, user: Person, organization: str) -> None:
    """Paid seats are there, give no credits, and bring back the owner who bought them if he had gone."""
    another = town.resident()
    wish = {"kilo_user_id": another.kilo_user_id, "role": "owner"}
    town.admin.do("POST", f"/admin/organizations/{organization}/members", json=wish)
    page = user.do("POST", "/billing/seats", json={"organization_id": organization, "seats": 3}).json()
    user.do("POST", f"/organizations/{organization}/leave")
    town.forget()
    user.pay(page)
    assert [data["kilo_user_id"] for data in told(town, "org.member_added")] == [user.kilo_user_id]
    assert told(town, "billing.credit_purchased") == []
    assert told(town, "billing.kilo_pass_changed") == []
    assert user.do("GET", f"/organizations/{organization}").json()["seats"] == 3
    assert balance(user, organization) == 0


def test_second_owner_is_not_added_again(town: Town, user: Person, organization: str) -> None:
    """An owner who buys seats is a member already: nothing is reported."""
    user.pay(user.do("POST", "/billing/seats", json={"organization_id": organization, "seats": 3}).json())
    assert told(town, "org.member_added") == []


def test_pass_begins_renews_and_ends(town: Town, user: Person) -> None:
    """A pass tells tier, status and streak with each month, gives its credits once a month, and ends with a 0."""
    hold_pass(user, "tier_199")
    assert user.send("POST", "/billing/pass", json={"tier": "tier_19"}).status_code == 409
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    subscription = next(town.running.stripe.every("subscription", customer=customer))
    renewal = f"{town.running.stripe.base_url}/local/subscriptions/{subscription['id']}/renew"
    user.http.post(renewal).raise_for_status()
    user.do("DELETE", "/billing/pass")
    town.settle()
    user.http.post(renewal).raise_for_status()
    changes = [
        (data["tier"], data["status"], data["streak_months"]) for data in told(town, "billing.kilo_pass_changed")
    ]
    assert changes[-3:] == [("tier_199", "active", 1), ("tier_199", "active", 2), ("tier_199", "canceled", 0)]
    totals = [data["total_microdollars_acquired"] for data in told(town, "billing.credit_purchased")]
    assert totals == [199_000_000, 398_000_000]


def test_new_pass_after_old_one_begins_anew(town: Town, user: Person) -> None:
    """Who comes back after his pass ended begins with his first month, and late words of the old one change nothing."""
    hold_pass(user, "tier_49")
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    old = next(town.running.stripe.every("subscription", customer=customer))
    town.running.cloud.payments.cancel_and_refund([customer])
    town.settle()
    hold_pass(user, "tier_19")
    town.forget()
    for kind, status in (("customer.subscription.updated", "active"), ("customer.subscription.deleted", "canceled")):
        town.desk.post(kind, old | {"status": status}).raise_for_status()
    assert told(town, "billing.kilo_pass_changed") == []
    assert user.send("POST", "/billing/pass", json={"tier": "tier_19"}).status_code == 409


def test_declined_page_sells_nothing(town: Town, user: Person) -> None:
    """A decline is told as Stripe tells it, and leaves neither credits nor a pass."""
    for path, wish in (("/billing/credits", {"amount_cents": 900}), ("/billing/pass", {"tier": "tier_19"})):
        assert user.pay(user.do("POST", path, json=wish).json(), STOLEN_CARD).status_code == 402
    assert [event["type"] for event in town.events()] == ["stripe.charge.failed"] * 2
    assert balance(user) == 0


def test_unknown_tier_is_refused(town: Town, user: Person) -> None:
    """A pass that is not on sale cannot be bought."""
    assert user.send("POST", "/billing/pass", json={"tier": "tier_1"}).status_code == 404


def make_code(town: Town, code: str, **more: Any) -> None:
    wish = {"code": code, "microdollars": 1_000_000, "reason": "fair", "most_redemptions": 2} | more
    town.admin.do("POST", "/admin/promo-codes", json=wish)


def test_code_gives_credits_once_to_a_user(town: Town, user: Person) -> None:
    """A code gives free credits; the same user, however he spells it and how fast he is, gets them once."""
    code = f"FAIR-{user.kilo_user_id}"
    make_code(town, code, most_redemptions=None)
    spellings = (code, code.lower(), f" {code} ") * 2
    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(lambda said: user.send("POST", "/billing/codes", json={"code": said}).status_code, spellings)
    assert sorted(answers) == [200] + [409] * 5
    [data] = told(town, "billing.credit_purchased")
    assert (data["microdollars_acquired"], data["is_free"]) == (1_000_000, True)
    assert balance(user) == 1_000_000


def test_code_is_used_up(town: Town) -> None:
    """Of many who redeem a code at once so many get credits as it says."""
    people = [town.resident() for _ in range(5)]
    code = f"FAIR-{people[0].kilo_user_id}"
    make_code(town, code)
    with ThreadPoolExecutor(5) as pool:
        answers = pool.map(lambda p: p.send("POST", "/billing/codes", json={"code": code}).status_code, people)
    assert sorted(answers) == [200] * 2 + [404] * 3
    assert sum(balance(person) for person in people) == 2_000_000


def test_expired_code_gives_nothing(town: Town, user: Person) -> None:
    """A code that is over, and one that never was, are answered alike."""
    code = f"OLD-{user.kilo_user_id}"
    make_code(town, code, expires_at="2026-01-01T00:00:00Z")
    answers = [user.send("POST", "/billing/codes", json={"code": said}).json() for said in (code, "NONE")]
    assert answers[0] == answers[1]
    assert town.events() == []
