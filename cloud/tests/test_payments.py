"""Opening customers and payments with Stripe, through the official library and over HTTP."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI, Request

from cloud.billing.payments import LocalPayments, StripePayments
from cloud.running import run_server

Asked = list[tuple[str, str, dict[str, str]]]


@pytest.fixture
def asked() -> Asked:
    """What the library asked: path, authorization, form."""
    return []


@pytest.fixture
def payments(asked: Asked) -> Iterator[StripePayments]:
    """Payments through a server that answers as Stripe documents."""

    async def answer(request: Request) -> dict[str, str]:
        form = dict(parse_qsl((await request.body()).decode()))
        asked.append((request.url.path, request.headers["authorization"], form))
        if request.url.path == "/v1/customers":
            return {"id": "cus_1", "object": "customer"}
        return {"id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_2"}

    app = FastAPI(title="stripe")
    app.add_api_route("/{path:path}", answer, methods=["POST"])
    with run_server(app) as url:
        yield StripePayments("sk_test_1", url)


def test_customer_names_its_user(payments: StripePayments, asked: Asked) -> None:
    """A customer carries the user's id, so that Stripe's own pages name him."""
    assert payments.open_customer("u1") == "cus_1"
    assert asked == [("/v1/customers", "Bearer sk_test_1", {"metadata[kilo_user_id]": "u1"})]


def test_payment_names_person_and_purpose(payments: StripePayments, asked: Asked) -> None:
    """A payment for credits says so in its metadata: its webhook books by them."""
    payment = payments.open_payment("u1", "cus_1", 2_000)
    assert (payment.payment_intent_id, payment.client_secret) == ("pi_1", "pi_1_secret_2")
    form = {"amount": "2000", "currency": "usd", "customer": "cus_1"}
    metadata = {"metadata[kilo_user_id]": "u1", "metadata[purpose]": "credits"}
    assert asked == [("/v1/payment_intents", "Bearer sk_test_1", form | metadata)]


def test_local_payments_look_alike() -> None:
    """Without an account with Stripe the ids have Stripe's form and are never the same."""
    local = LocalPayments()
    assert local.open_customer("u1").startswith("cus_")
    first, second = (local.open_payment("u1", "cus_1", 100) for _ in range(2))
    assert first.payment_intent_id.startswith("pi_")
    assert first.payment_intent_id != second.payment_intent_id
