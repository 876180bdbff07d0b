"""Automatic top-up: one charge in flight, never twice, off after a decline; on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from cloud.billing.auto_top_up import CUT_OFF, top_up_if_low
from cloud.billing.ledger import book_usage, spendable
from cloud.billing.models import AutoTopUp
from cloud.billing.owners import Owner
from cloud.errors import PaymentsUnavailable
from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing import Town

ASKS_FOR_HOLDER = "4000002500003155"
WISH = {"threshold_cents": 500, "amount_cents": 2_000}


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


def prepare(town: Town, user: Person, card_number: str | None = None) -> Owner:
    """Let the user buy 10 USD with a card and switch the top-up on; what that reported is forgotten."""
    buy(user, 1_000, card_number)
    assert user.do("PUT", "/billing/auto-top-up", json=WISH).json()["is_on"] is True
    town.forget()
    return Owner(user_id=user.kilo_user_id)


def use(town: Town, owner: Owner, microdollars: int) -> None:
    with town.running.cloud.transaction() as work:
        book_usage(work, owner, microdollars, "message")
    top_up_if_low(town.running.cloud, owner)


def left(town: Town, owner: Owner) -> int:
    town.settle()
    with town.running.cloud.database.reading() as session:
        return spendable(session, owner)


def charges(town: Town, user: Person) -> int:
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    return len(list(town.running.stripe.every("charge", customer=customer)))


@contextmanager
def stripe_away(town: Town, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Iterator[None]:
    """Let Stripe be unreachable before, or after, it has charged the card."""
    payments = type(town.running.cloud.payments)
    charge = payments.charge

    def lose(self: Any, top_up: Any) -> None:
        if after:
            charge(self, top_up)
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(payments, "charge", lose)
        yield


def test_low_balance_is_topped_up(town: Town, user: Person) -> None:
    """Below the threshold the saved card is charged, and the credits are a purchase like any other."""
    owner = prepare(town, user)
    use(town, owner, 5_000_000)
    assert left(town, owner) == 5_000_000, "the threshold itself is not below it"
    use(town, owner, 1)
    assert left(town, owner) == 24_999_999
    [event] = town.events("billing.credit_purchased")
    assert event["data"] == {
        "kilo_user_id": user.kilo_user_id,
        "microdollars_acquired": 20_000_000,
        "total_microdollars_acquired": 30_000_000,
        "is_free": False,
    }


def test_chat_tops_up(town: Town, user: Person) -> None:
    """An answer of the gateway that leaves too little is followed by a charge."""
    owner = prepare(town, user)
    use(town, owner, 5_000_000)
    user.chat(model="acme/standard-2").raise_for_status()
    assert left(town, owner) > 20_000_000


def test_one_charge_is_in_flight(town: Town, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that find the balance low at the same time ask for one charge, and those after them for none."""
    owner = prepare(town, user)
    payments, asked = type(town.running.cloud.payments), list[str]()
    charge = payments.charge

    def count(self: Any, top_up: Any) -> None:
        asked.append(top_up.attempt_id)
        charge(self, top_up)

    monkeypatch.setattr(payments, "charge", count)
    webhooks = town.running.stripe.webhooks
    webhooks.hold()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: use(town, owner, 1_000_000), range(8)))
    town.running.cloud.background.flush(10)
    use(town, owner, 1)
    town.running.cloud.background.flush(10)
    webhooks.release()
    assert left(town, owner) == 22_000_000 - 1
    assert (len(asked), charges(town, user)) == (1, 2)


def test_next_fall_charges_again(town: Town, user: Person) -> None:
    """Once the credits of an attempt are there, the next fall begins another one."""
    owner = prepare(town, user)
    for _ in range(2):
        use(town, owner, 18_000_000)
        town.settle()
    assert charges(town, user) == 3


def test_decline_switches_off(town: Town, user: Person) -> None:
    """A card that is declined without its holder is not tried again, and its owner is told by a letter."""
    owner = prepare(town, user, ASKS_FOR_HOLDER)
    for _ in range(2):
        use(town, owner, 6_000_000)
        town.settle()
    assert charges(town, user) == 2
    assert user.do("GET", "/billing/auto-top-up").json()["is_on"] is False
    letter = user.do("GET", "/outbox", params={"recipient": user.email}).json()
    assert letter["subject"] == "Automatic top-up is off"
    assert "authentication_required" in letter["text"]
    assert [event["type"] for event in town.events()] == ["stripe.charge.failed"]


@pytest.mark.parametrize("after", [False, True])
def test_lost_answer_charges_once(town: Town, user: Person, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """When answer and webhook are lost, the attempt is made again later, and the card is charged once in all."""
    owner = prepare(town, user)
    webhooks = town.running.stripe.webhooks
    webhooks.hold()
    with stripe_away(town, monkeypatch, after=after):
        use(town, owner, 6_000_000)
        town.running.cloud.background.flush(10)
    with town.running.cloud.database.writing() as session:
        earlier = town.running.cloud.clock() - CUT_OFF - timedelta(seconds=1)
        cut_off = update(AutoTopUp).where(AutoTopUp.attempt_id.is_not(None))
        session.execute(cut_off.values(attempted_at=earlier))
    use(town, owner, 1)
    town.running.cloud.background.flush(10)
    webhooks.release()
    assert left(town, owner) == 24_000_000 - 1
    assert charges(town, user) == 2


def test_organization_is_topped_up(town: Town, user: Person) -> None:
    """An organization's card tops its own balance up, and the purchase names who set it up."""
    organization = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    owner, named = Owner(user_id=user.kilo_user_id, organization_id=organization), {"organization_id": organization}
    user.pay(user.do("POST", "/billing/credits", json={"amount_cents": 1_000} | named).json())
    user.do("PUT", "/billing/auto-top-up", json=WISH | named)
    town.forget()
    use(town, owner, 6_000_000)
    assert (left(town, owner), left(town, Owner(user_id=user.kilo_user_id))) == (24_000_000, 0)
    [event] = town.events("billing.credit_purchased")
    assert (event["data"]["kilo_user_id"], event["data"]["organization_id"]) == (user.kilo_user_id, organization)


def test_removed_card_switches_off(town: Town, user: Person) -> None:
    """A card that was taken away is not charged, and the top-up ends."""
    owner = prepare(town, user)
    for card in user.do("GET", "/billing/cards").json():
        user.do("DELETE", f"/billing/cards/{card['card_id']}")
    use(town, owner, 6_000_000)
    assert left(town, owner) == 4_000_000
    assert user.do("GET", "/billing/auto-top-up").json()["is_on"] is False


def test_top_up_needs_a_card(town: Town, user: Person, another: Person) -> None:
    """Without a saved card, or with somebody else's, it cannot be switched on."""
    assert user.send("PUT", "/billing/auto-top-up", json=WISH).status_code == 409
    buy(another, 1_000)
    [card] = another.do("GET", "/billing/cards").json()
    buy(user, 1_000)
    assert user.send("PUT", "/billing/auto-top-up", json=WISH | {"card_id": card["card_id"]}).status_code == 409
    assert user.send("DELETE", f"/billing/cards/{card['card_id']}").status_code == 404


def test_switched_off_charges_nothing(town: Town, user: Person) -> None:
    """Who switches it off is charged nothing any more."""
    owner = prepare(town, user)
    user.do("DELETE", "/billing/auto-top-up")
    use(town, owner, 6_000_000)
    assert (left(town, owner), charges(town, user)) == (4_000_000, 1)
