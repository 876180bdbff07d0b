"""What at Stripe happens by itself, and here when somebody asks for it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse

from cloud.local.stripe import payments, subscriptions
from cloud.local.stripe.account import Account
from cloud.local.stripe.faults import Fault

Json = dict[str, Any]


def add_happenings(app: FastAPI, account: Account) -> None:
    """Serve what makes banks, holders and time act."""

    def happen(act: Callable[[], Json]) -> JSONResponse:
        with account.lock:
            try:
                return JSONResponse(act())
            except Fault as fault:
                return JSONResponse(fault.body, fault.status)

    def post_dispute(charge_id: str, reason: str = "fraudulent") -> JSONResponse:
        return happen(lambda: payments.open_dispute(account, account.find("charge", charge_id), reason))

    def post_warning(charge_id: str, fraud_type: str = "made_with_stolen_card") -> JSONResponse:
        return happen(lambda: payments.warn(account, account.find("charge", charge_id), fraud_type))

    def post_renewal(subscription_id: str) -> JSONResponse:
        return happen(lambda: subscriptions.renew(account, account.find("subscription", subscription_id)))

    def post_hold() -> None:
        account.webhooks.hold()

    def post_release(copies: Annotated[int, Query(ge=1, le=10)] = 1, seed: int | None = None) -> None:
        account.webhooks.release(copies=copies, seed=seed)

    def get_webhooks(wait_seconds: Annotated[float, Query(ge=0, le=60)] = 0.0) -> JSONResponse:
        is_settled = account.webhooks.settle(wait_seconds)
        deliveries = [vars(delivery) for delivery in account.webhooks.deliveries]
        return JSONResponse({"is_settled": is_settled, "deliveries": deliveries})

    app.add_api_route("/local/charges/{charge_id}/dispute", post_dispute, methods=["POST"])
    app.add_api_route("/local/charges/{charge_id}/fraud-warning", post_warning, methods=["POST"])
    app.add_api_route("/local/subscriptions/{subscription_id}/renew", post_renewal, methods=["POST"])
    app.add_api_route("/local/webhooks/hold", post_hold, methods=["POST"], status_code=204)
    app.add_api_route("/local/webhooks/release", post_release, methods=["POST"], status_code=204)
    app.add_api_route("/local/webhooks", get_webhooks, methods=["GET"])
