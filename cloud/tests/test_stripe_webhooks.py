"""Stripe's webhooks: verified, taken once, joined to their owner, forwarded as they came."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import stripe

from cloud.billing.owners import Owner, learn_owner
from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.stripe_webhooks.actions import ACTIONS
from cloud.testing import Town
from cloud.testing.stripe_desk import (
    dispute,
    event_of,
    failed_charge,
    fraud_warning,
    payment_intent,
    payment_method,
)

CREATED = 1_790_000_000


@pytest.fixture
def customer(town: Town, user: Person) -> str:
    found: str = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    return found


@pytest.fixture
def intent(town: Town, user: Person) -> Any:
    """A payment that succeeded; what it reported is forgotten."""
    buy(user, 2_000)
    town.forget()
    return next(town.running.stripe.every("payment_intent"))


def sent(town: Town, kind: str, subject: Any, previous: Any = None) -> tuple[Any, Any]:
    """Send a webhook and return it with the one event that arrived for it."""
    event = event_of(kind, subject, previous) | {"created": CREATED}
    town.desk.send(event).raise_for_status()
    [arrived] = town.events(f"stripe.{kind}")
    return event, arrived


def assert_forwarded(event: Any, arrived: Any, user: Person) -> None:
    """Hold what arrived against the webhook: all of it, its owner, its time."""
    assert arrived["data"] == event | {"kilo_user_id": user.kilo_user_id}
    assert (arrived["occurred_at"], arrived["event_id"]) == (CREATED * 1000, event["id"])


def test_attached_method_keeps_its_card(town: Town, user: Person, customer: str) -> None:
    """An attached payment method is forwarded whole: fingerprint, brand, funding and country with it."""
    assert_forwarded(*sent(town, "payment_method.attached", payment_method(customer, "fp_1")), user)


def test_detached_method_finds_former_owner(town: Town, user: Person, customer: str) -> None:
    """A detached method has no customer any more; its owner is the one before, even if nobody saw it attached."""
    gone, before = payment_method(None, "fp_2"), {"customer": customer}
    assert_forwarded(*sent(town, "payment_method.detached", gone, before), user)


@pytest.mark.parametrize("kind", ["charge.dispute.created", "charge.dispute.funds_withdrawn"])
def test_dispute_is_joined_by_charge(town: Town, user: Person, intent: Any, kind: str) -> None:
    """A dispute names no customer; the charge that the payment brought along tells whose it is."""
    claim = dispute(intent, "fraudulent") | {"payment_intent": None}
    assert_forwarded(*sent(town, kind, claim), user)


def test_fraud_warning_is_joined_by_payment(town: Town, user: Person, intent: Any) -> None:
    """A warning names no customer; the payment tells whose it is."""
    warning = fraud_warning(intent)
    assert_forwarded(*sent(town, "radar.early_fraud_warning.created", warning), user)


def test_failed_charge_keeps_its_reasons(town: Town, user: Person, customer: str) -> None:
    """A failed charge is forwarded with the issuer's reason and Radar's outcome."""
    assert_forwarded(*sent(town, "charge.failed", failed_charge(customer, "stolen_card")), user)


def test_payment_is_forwarded_and_booked(town: Town, user: Person, customer: str) -> None:
    """A payment is forwarded as it came, and its credits are booked at the payment's time."""
    paid = payment_intent(customer, 900, user.kilo_user_id)
    assert_forwarded(*sent(town, "payment_intent.succeeded", paid), user)
    [booked] = town.events("billing.credit_purchased")
    assert booked["data"]["microdollars_acquired"] == 9_000_000
    assert booked["occurred_at"] == CREATED * 1000


def test_payment_of_an_invoice_books_nothing(town: Town, user: Person, intent: Any) -> None:
    """The payment behind a pass's invoice buys no credits a second time."""
    other = intent | {"id": "pi_invoice", "latest_charge": "ch_invoice", "metadata": {}}
    town.desk.post("payment_intent.succeeded", other).raise_for_status()
    assert [event["type"] for event in town.events()] == ["stripe.payment_intent.succeeded"]


def test_second_copy_changes_nothing(town: Town, user: Person, customer: str) -> None:
    """The same event twice is booked once and forwarded once, and both copies are answered alike."""
    event = event_of("payment_intent.succeeded", payment_intent(customer, 900, user.kilo_user_id))
    answers = [town.desk.send(event) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True, True]
    kinds = sorted(event["type"] for event in town.events())
    assert kinds == ["billing.credit_purchased", "stripe.payment_intent.succeeded"]


def test_copies_at_once_count_once(town: Town, user: Person, customer: str) -> None:
    """Copies that arrive at the same instant are booked once and forwarded once."""
    event = event_of("payment_intent.succeeded", payment_intent(customer, 900, user.kilo_user_id))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: town.desk.send(event).status_code, range(8)))
    assert answers == [200] * 8
    assert len(town.events("billing.credit_purchased")) == 1
    assert user.do("GET", "/account").json()["balance_microdollars"] == 9_000_000


def test_same_payment_is_booked_once(town: Town, user: Person, intent: Any) -> None:
    """A second event about a payment that is booked already books nothing."""
    town.desk.post("payment_intent.succeeded", intent).raise_for_status()
    assert town.events("billing.credit_purchased") == []


def test_unknown_owner_is_left_out(town: Town) -> None:
    """An event that we can join to nobody is forwarded without an owner, never with a guessed one."""
    event, arrived = sent(town, "charge.failed", failed_charge("cus_of_nobody", "stolen_card"))
    assert arrived["data"] == event


def test_owner_is_looked_up_at_stripe(town: Town, user: Person, customer: str) -> None:
    """A dispute about a charge that we never heard of is joined by the customer that Stripe names."""
    webhooks = town.running.stripe.webhooks
    webhooks.hold()
    buy(user, 900)
    unheard = next(town.running.stripe.every("payment_intent", customer=customer))
    assert_forwarded(*sent(town, "charge.dispute.created", dispute(unheard, "fraudulent")), user)
    webhooks.release()


def test_failed_look_up_fails_no_webhook(town: Town) -> None:
    """A charge that Stripe does not know either is forwarded without an owner."""
    warning = fraud_warning({"id": "pi_of_nobody", "latest_charge": "ch_of_nobody"})
    event, arrived = sent(town, "radar.early_fraud_warning.created", warning)
    assert arrived["data"] == event


def test_organization_customer_names_both(town: Town, user: Person) -> None:
    """An organization's customer names no person; the payment's own metadata does, and both are told."""
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    with town.running.cloud.transaction() as work:
        learn_owner(work, Owner(organization_id=found), [f"cus_{found}"])
    paid = payment_intent(f"cus_{found}", 900, user.kilo_user_id)
    event, arrived = sent(town, "payment_intent.succeeded", paid)
    assert arrived["data"] == event | {"kilo_user_id": user.kilo_user_id, "organization_id": found}


def test_unknown_organization_gets_nothing(town: Town, user: Person, customer: str) -> None:
    """Metadata that name an organization which does not exist leave the credits with the person."""
    paid = payment_intent(customer, 900, user.kilo_user_id)
    paid["metadata"]["organization_id"] = "nobody"
    town.desk.post("payment_intent.succeeded", paid).raise_for_status()
    assert user.do("GET", "/account").json()["balance_microdollars"] == 9_000_000


def test_payment_of_an_organization_alone(town: Town, user: Person) -> None:
    """A payment by an organization's customer that names no person is the organization's; its first owner is named."""
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    with town.running.cloud.transaction() as work:
        learn_owner(work, Owner(organization_id=found), [f"cus_{found}"])
    town.forget()
    paid = payment_intent(f"cus_{found}", 900, "nobody")
    town.desk.post("payment_intent.succeeded", paid).raise_for_status()
    balance = user.do("GET", "/billing/balance", params={"organization_id": found}).json()
    assert balance["balance_microdollars"] == 9_000_000
    [booked] = town.events("billing.credit_purchased")
    assert (booked["data"]["kilo_user_id"], booked["data"]["organization_id"]) == (user.kilo_user_id, found)
    [forwarded] = town.events("stripe.payment_intent.succeeded")
    assert forwarded["data"]["organization_id"] == found
    assert "kilo_user_id" not in forwarded["data"]


def test_other_types_are_not_forwarded(town: Town, customer: str) -> None:
    """What the abuse service does not ask for stays here."""
    town.desk.post("charge.succeeded", failed_charge(customer, "none")).raise_for_status()
    assert town.events() == []


@pytest.mark.parametrize("signature", ["", "t=1,v1=00", "nonsense", "t=x,v1=y"])
def test_bad_signature_is_refused(town: Town, customer: str, signature: str) -> None:
    """A body that Stripe did not sign is refused with 400 and changes nothing."""
    answer = town.http.post("/stripe/webhook", content=b"{}", headers={"stripe-signature": signature})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_signature"
    assert town.events() == []


def test_old_signature_is_refused(town: Town) -> None:
    """A webhook that was recorded long ago cannot be played again."""
    body = '{"id": "evt_1", "object": "event", "type": "charge.failed", "created": 1}'
    assert post_signed(town, body, timestamp=1_600_000_000).json()["error"]["code"] == "invalid_signature"


@pytest.mark.parametrize(
    "body", ["[]", "{}", "nonsense", '{"id": "evt_1", "type": "charge.failed", "created": "soon"}']
)
def test_signed_nonsense_is_refused(town: Town, body: str) -> None:
    """A signed body that is no event is answered with 400, never with a fault of ours."""
    assert post_signed(town, body).status_code == 400
    assert town.events() == []


@pytest.mark.parametrize("kind", sorted(ACTIONS))
@pytest.mark.parametrize(
    "odd", [{}, {"id": 7}, {"id": "x_1", "billing_reason": {}, "items": 7, "metadata": [], "status": []}]
)
def test_odd_objects_are_taken(town: Town, customer: str, kind: str, odd: Any) -> None:
    """A signed event about an object of no shape that we know is taken, and Stripe stops sending it."""
    subject = odd | {"customer": customer, "currency": "usd", "amount": 5, "amount_paid": 5}
    assert town.desk.post(kind, subject).status_code == 200


def test_bytes_that_are_no_text_are_refused(town: Town) -> None:
    """A body that is no UTF-8 is answered with 400."""
    answer = town.http.post("/stripe/webhook", content=b"\xff\xfe", headers={"stripe-signature": "t=1,v1=00"})
    assert answer.status_code == 400


def post_signed(town: Town, body: str, timestamp: int | None = None) -> httpx.Response:
    secret = town.running.stripe_webhook_secret
    signature = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp)
    answer: httpx.Response = town.http.post("/stripe/webhook", content=body, headers={"stripe-signature": signature})
    return answer
