"""Asking Stripe through the official library: what is asked, and what its refusals become."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from cloud.billing.owners import Owner
from cloud.billing.payments import NullPayments, Purpose, TopUp, Wish
from cloud.billing.stripe_payments import StripePayments
from cloud.errors import CardDeclined, CloudError, Conflict, PaymentsUnavailable
from cloud.local.stripe import Account
from cloud.local.stripe.payments import attach, take_card
from cloud.running import run_stripe

PAYER = Owner(user_id="u1", organization_id="o1")


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with run_stripe("http://127.0.0.1:9/nobody") as opened:
        opened.webhooks.url = None
        yield opened


@pytest.fixture
def payments(account: Account) -> StripePayments:
    return StripePayments(account.api_key, account.base_url)


@pytest.fixture
def customer(payments: StripePayments) -> str:
    return payments.open_customer(Owner(user_id=uuid4().hex))


def top_up(account: Account, customer: str, card_number: str) -> TopUp:
    card = attach(account, take_card(account, card_number), customer)["id"]
    return TopUp(attempt_id=uuid4().hex, customer_id=customer, card_id=card, owner=PAYER, amount_cents=900)


def test_customer_names_its_owner(payments: StripePayments, account: Account) -> None:
    """A customer carries its owner, so that Stripe's own pages name him; asked twice, one is opened."""
    first, second = (payments.open_customer(Owner(organization_id="o9")) for _ in range(2))
    assert first == second
    assert account.find("customer", first)["metadata"] == {"organization_id": "o9"}


def test_page_names_person_and_purpose(payments: StripePayments, account: Account, customer: str) -> None:
    """What is paid on a page says for whom and for what: its webhook books by it."""
    wish = Wish(
        customer_id=customer,
        owner=PAYER,
        purpose=Purpose.CREDITS,
        title="Credits",
        amount_cents=2_000,
        return_url="https://cloud.example.com/thanks",
    )
    page = payments.open_page(wish)
    session = account.find("checkout.session", page.session_id)
    named = {"purpose": "credits", "kilo_user_id": "u1", "organization_id": "o1"}
    assert (session["amount_total"], session["metadata"], session["url"]) == (2_000, named, page.url)
    assert account.orders[page.session_id]["payment_intent_data"]["metadata"] == named


def test_attempt_is_charged_once(payments: StripePayments, account: Account, customer: str) -> None:
    """An automatic top-up that is made again, because its answer was lost, charges nothing more."""
    wish = top_up(account, customer, "4242424242424242")
    for _ in range(2):
        payments.charge(wish)
    [charge] = account.every("charge", customer=customer)
    assert (charge["amount"], charge["metadata"]["auto_top_up"]) == (900, wish.attempt_id)


@pytest.mark.parametrize("number", ["4000000000000341", "4000002500003155", "4100000000000019"])
def test_decline_is_ours_to_tell(payments: StripePayments, account: Account, customer: str, number: str) -> None:
    """A card that is not charged is an error of ours, with the bank's reason and nothing personal in it."""
    with pytest.raises(CardDeclined, match=r"generic_decline|authentication_required|fraudulent"):
        payments.charge(top_up(account, customer, number))


def test_refusal_is_no_outage(payments: StripePayments) -> None:
    """What Stripe refuses is told as a conflict with its code."""
    with pytest.raises(Conflict, match="resource_missing"):
        payments.cancel_at_period_end("sub_nobody")


def test_outage_is_told(account: Account) -> None:
    """A Stripe that does not answer, or does not know our key, asks to try again; a look-up says nothing instead."""
    for payments in (StripePayments("sk_test_x", "http://127.0.0.1:9"), StripePayments("sk_wrong", account.base_url)):
        with pytest.raises(PaymentsUnavailable):
            payments.open_customer(PAYER)
        assert payments.find_owner_ids(["ch_1", "pi_1"]) == []


def test_everything_is_refunded_once(payments: StripePayments, account: Account, customer: str) -> None:
    """Each payment is paid back whole; a second time finds nothing left, and a disputed one is left to its dispute."""
    for number in ("4242424242424242", "5555555555554444", "4000000000000259"):
        payments.charge(top_up(account, customer, number))
    assert [len(payments.cancel_and_refund([customer]).refunded) for _ in range(2)] == [2, 0]
    assert sorted(charge["refunded"] for charge in account.every("charge", customer=customer)) == [False, True, True]


def test_missing_key_is_told() -> None:
    """Without a key nothing can be paid for, and the answer says which setting is missing."""
    with pytest.raises(CloudError, match="stripe_api_key"):
        NullPayments().open_customer(PAYER)
