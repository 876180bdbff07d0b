"""Stripe on this machine, held against the official library and against Stripe's own fixtures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from cloud.local.stripe import Account, create_stripe
from cloud.local.stripe.webhooks import Webhooks
from cloud.running import run_server

FIXTURES = Path(__file__).parents[3] / "shared/fixtures/stripe/stripe-openapi"
VISA, STOLEN, DISPUTED, WARNED = "4242424242424242", "4000000000009979", "4000000000000259", "4000000000005423"


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    opened = Account(api_key="sk_test_1", webhooks=Webhooks(None, "whsec_1"))
    with run_server(create_stripe(opened)) as url:
        opened.base_url = url
        yield opened
    opened.webhooks.close()


@pytest.fixture
def library(account: Account) -> Any:
    return stripe.StripeClient("sk_test_1", base_addresses={"api": account.base_url}).v1


@pytest.fixture
def customer(library: Any) -> Any:
    return library.customers.create({"metadata": {"kilo_user_id": "u1"}})


def open_session(library: Any, customer: Any, mode: str = "payment", **more: Any) -> Any:
    price = {"currency": "usd", "unit_amount": 2_000, "product_data": {"name": "Credits"}}
    if mode == "subscription":
        price |= {"recurring": {"interval": "month"}}
    items = {} if mode == "setup" else {"line_items": [{"price_data": price, "quantity": 1}]}
    back = "https://cloud.example.com/back?session={CHECKOUT_SESSION_ID}"
    return library.checkout.sessions.create({"customer": customer.id, "mode": mode, "success_url": back} | items | more)


def fill_in(session: Any, number: str) -> httpx.Response:
    return httpx.post(session.url, data={"card_number": number}, trust_env=False)


def told(account: Account, since: int = 0) -> list[str]:
    return [found["type"] for found in account.objects.values() if found["object"] == "event"][since:]


def paid_intent(library: Any, customer: Any, number: str = VISA) -> Any:
    session = open_session(library, customer)
    assert fill_in(session, number).status_code == 303
    return library.payment_intents.retrieve(library.checkout.sessions.retrieve(session.id).payment_intent)


def test_same_key_gives_same_answer(library: Any) -> None:
    """A repeated request with its idempotency key opens one object and is answered alike."""
    first, second = (library.customers.create({"name": "Ada"}, {"idempotency_key": "k1"}) for _ in range(2))
    assert first.id == second.id
    assert second.last_response.headers["idempotent-replayed"] == "true"


def test_same_key_for_another_question_is_refused(library: Any) -> None:
    """A key that comes with other parameters is an error, as Stripe documents."""
    library.customers.create({"name": "Ada"}, {"idempotency_key": "k2"})
    with pytest.raises(stripe.IdempotencyError):
        library.customers.create({"name": "Eve"}, {"idempotency_key": "k2"})


def test_decline_is_kept_for_its_key(library: Any, customer: Any) -> None:
    """A decline is an answer too: the same key declines again without a second charge."""
    wish = {"amount": 900, "currency": "usd", "customer": customer.id, "confirm": True}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            library.payment_intents.create(
                wish | {"payment_method": "pm_card_chargeDeclined"}, {"idempotency_key": "k3"}
            )
    assert len(library.charges.list({"customer": customer.id}).data) == 1


@pytest.mark.parametrize("key", ["sk_test_2", "x"])
def test_foreign_key_is_refused(account: Account, key: str) -> None:
    """Only the account's own key is let in."""
    answer = httpx.get(f"{account.base_url}/v1/customers", headers={"authorization": f"Bearer {key}"}, trust_env=False)
    assert answer.status_code == 401


def test_unknown_parameter_is_refused(library: Any) -> None:
    """A misspelled parameter is refused and named, so that the real Stripe is no surprise."""
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: nmae"):
        library.customers.create({"nmae": "Ada"})


@pytest.mark.parametrize("form", ["name=a&name[b]=c", "name[b]=c&name=a", "[=x", "metadata[a][b]=1&metadata[a]=2"])
def test_contradicting_form_is_refused(account: Account, form: str) -> None:
    """A form that says one name twice in two ways is the caller's fault."""
    headers = {"authorization": "Bearer sk_test_1"}
    answer = httpx.post(f"{account.base_url}/v1/customers", content=form, headers=headers, trust_env=False)
    assert answer.status_code == 400


def test_missing_object_is_not_found(library: Any) -> None:
    """An id that nobody opened is answered as Stripe does."""
    with pytest.raises(stripe.InvalidRequestError) as raised:
        library.charges.retrieve("ch_nobody")
    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")


def test_paid_session_yields_payment_and_charge(account: Account, library: Any, customer: Any) -> None:
    """Who pays on the page is sent back; the payment, its charge and the session say that it is paid."""
    since = len(told(account))
    data = {"payment_intent_data": {"metadata": {"purpose": "credits"}, "setup_future_usage": "off_session"}}
    session = open_session(library, customer, **data)
    answer = fill_in(session, "4242 4242 4242 4242")
    assert answer.headers["location"] == f"https://cloud.example.com/back?session={session.id}"
    session = library.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (session.status, session.payment_intent.amount_received) == ("complete", 2_000)
    assert session.payment_intent.metadata["purpose"] == "credits"
    assert told(account, since)[1:] == [
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


@pytest.mark.parametrize(
    ("number", "code"),
    [(STOLEN, "stolen_card"), ("4000000000009995", "insufficient_funds"), ("4000000000000002", "generic_decline")],
)
def test_declined_page_says_why(library: Any, customer: Any, number: str, code: str) -> None:
    """A decline is shown on the page, which can be filled in again for the same payment."""
    session = open_session(library, customer)
    answer = fill_in(session, number)
    assert (answer.status_code, 'role="alert"' in answer.text) == (402, True)
    [charge] = library.charges.list({"customer": customer.id}).data
    assert (charge.status, charge.outcome.reason, charge.failure_code) == ("failed", code, "card_declined")
    assert fill_in(session, VISA).status_code == 303
    assert {found.payment_intent for found in library.charges.list({"customer": customer.id}).data} == {
        charge.payment_intent
    }


def test_wrong_number_is_no_card(library: Any, customer: Any) -> None:
    """A number whose check digit is wrong never reaches a bank."""
    assert fill_in(open_session(library, customer), "4242424242424241").status_code == 402
    assert library.charges.list({"customer": customer.id}).data == []


def test_paid_page_is_paid_once(library: Any, customer: Any) -> None:
    """Filling in a paid page once more charges nothing."""
    session = open_session(library, customer)
    assert [fill_in(session, VISA).status_code for _ in range(2)] == [303, 303]
    assert len(library.charges.list({"customer": customer.id}).data) == 1


def test_saved_card_pays_without_its_holder(library: Any, customer: Any) -> None:
    """A card that was saved is charged off session; one that needs its holder is declined then."""
    fill_in(open_session(library, customer, "setup"), VISA)
    fill_in(open_session(library, customer, "setup"), "4000002500003155")
    asking, plain = library.payment_methods.list({"customer": customer.id}).data
    wish = {"amount": 900, "currency": "usd", "customer": customer.id, "confirm": True, "off_session": True}
    assert library.payment_intents.create(wish | {"payment_method": plain.id}).status == "succeeded"
    with pytest.raises(stripe.CardError) as raised:
        library.payment_intents.create(wish | {"payment_method": asking.id})
    assert raised.value.code == "authentication_required"


def test_same_number_has_same_fingerprint(library: Any, customer: Any) -> None:
    """A card is known again by its fingerprint, whoever uses it."""
    for number in (VISA, VISA, "5555555555554444"):
        fill_in(open_session(library, customer, "setup"), number)
    prints = [method.card.fingerprint for method in library.payment_methods.list({"customer": customer.id}).data]
    assert (prints[1] == prints[2], prints[0] == prints[1]) == (True, False)


def test_detached_card_has_no_customer(account: Account, library: Any, customer: Any) -> None:
    """A card that is taken away names its customer only in what it was before."""
    method = library.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    assert library.payment_methods.detach(method.id).customer is None
    event = list(account.objects.values())[-1]
    assert event["data"]["object"]["customer"] is None
    assert event["data"]["previous_attributes"] == {"customer": customer.id}


def test_refund_never_exceeds_payment(library: Any, customer: Any) -> None:
    """A payment is paid back in parts up to its whole, and not once more."""
    intent = paid_intent(library, customer)
    library.refunds.create({"payment_intent": intent.id, "amount": 500})
    library.refunds.create({"payment_intent": intent.id})
    assert [refund.amount for refund in library.refunds.list({"payment_intent": intent.id}).data] == [1_500, 500]
    with pytest.raises(stripe.InvalidRequestError) as raised:
        library.refunds.create({"payment_intent": intent.id})
    assert raised.value.code == "charge_already_refunded"


def test_disputed_card_is_disputed(account: Account, library: Any, customer: Any) -> None:
    """The documented number is disputed by itself; accepting the dispute loses it, once."""
    intent = paid_intent(library, customer, DISPUTED)
    [dispute] = library.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.reason, dispute.status, dispute.charge) == ("fraudulent", "needs_response", intent.latest_charge)
    assert told(account)[-3:-1] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert library.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        library.disputes.close(dispute.id)


def test_warned_card_is_warned_about(library: Any, customer: Any) -> None:
    """The documented number brings an early fraud warning that names charge and payment and no customer."""
    intent = paid_intent(library, customer, WARNED)
    [warning] = library.radar.early_fraud_warnings.list({"payment_intent": intent.id}).data
    assert (warning.charge, warning.actionable, warning.fraud_type) == (
        intent.latest_charge,
        True,
        "made_with_stolen_card",
    )
    assert "customer" not in warning


def test_subscription_lives(account: Account, library: Any, customer: Any) -> None:
    """A subscription begins with a paid invoice, is renewed, falls behind with a dead card, and ends."""
    since = len(told(account))
    session = open_session(library, customer, "subscription", subscription_data={"metadata": {"tier": "tier_19"}})
    fill_in(session, "4000000000000341")
    found = library.subscriptions.retrieve(library.checkout.sessions.retrieve(session.id).subscription)
    assert (found.status, found.metadata["tier"]) == ("active", "tier_19")
    httpx.post(f"{account.base_url}/local/subscriptions/{found.id}/renew", trust_env=False).raise_for_status()
    assert library.subscriptions.retrieve(found.id).status == "past_due"
    assert library.subscriptions.cancel(found.id).status == "canceled"
    paid, unpaid = (
        invoice.parent.subscription_details for invoice in library.invoices.list({"customer": customer.id}).data
    )
    assert {paid.subscription, unpaid.subscription} == {found.id}
    kinds = [kind for kind in told(account, since) if kind.startswith(("customer.sub", "invoice"))]
    assert kinds == [
        "customer.subscription.created",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "invoice.payment_failed",
        "customer.subscription.updated",
        "customer.subscription.deleted",
    ]


def test_lists_come_in_pages(library: Any, customer: Any) -> None:
    """A long list is read to its end by the library's own paging."""
    opened = [paid_intent(library, customer).latest_charge for _ in range(5)]
    found = [charge.id for charge in library.charges.list({"customer": customer.id, "limit": 2}).auto_paging_iter()]
    assert found == opened[::-1]


KINDS = ("charge", "customer", "dispute", "payment_intent", "payment_method", "radar.early_fraud_warning", "event")


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_stripe(account: Account, library: Any, customer: Any, kind: str) -> None:
    """Each object has every field that Stripe's own fixture of it has."""
    if not FIXTURES.is_dir():
        pytest.skip("Stripe's fixtures are not on this machine")
    for number in (DISPUTED, WARNED):
        paid_intent(library, customer, number)
    fixture = json.loads((FIXTURES / f"resource.{kind}.json").read_text(encoding="utf-8"))
    made = next(account.every(kind))
    assert fixture.keys() - made.keys() == set()
    assert {type(made[name]) for name in ("id", "object", "created", "livemode")} == {str, int, bool}
