"""The HTTP side: whose key it is, which version, and the same answer for the same idempotency key."""

import re
from typing import Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from cloud.local.stripe import happenings, pages
from cloud.local.stripe.account import API_VERSION, Account, new_id, snapshot
from cloud.local.stripe.faults import Fault, invalid
from cloud.local.stripe.forms import decode
from cloud.local.stripe.operations import perform

Json = dict[str, Any]

VERSION_FORM = re.compile(r"\d{4}-\d{2}-\d{2}(\.\w+)?")
LONGEST_KEY = 255
NOT_BEGUN = frozenset({400, 404})


async def form_of(request: Request) -> str:
    """Return the parameters as they came; they stand in the query or in the body."""
    body = (await request.body()).decode("utf-8", "replace")
    return "&".join(filter(None, (urlencode(request.query_params.multi_items()), body)))


def create_stripe(account: Account) -> FastAPI:
    """Return the application that answers for the account."""
    app = FastAPI(title="stripe", openapi_url=None)
    kept: dict[str, tuple[Any, Response]] = {}

    def answer(request: Request, path: str, form: str = Depends(form_of)) -> Response:
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        with account.lock:
            try:
                admit(account, request)
                asked = (request.method, path, decode(form))
                if key is None:
                    return performed(account, *asked)
                return once(account, key, asked, kept)
            except Fault as fault:
                return respond(fault.body, fault.status)

    app.add_api_route("/v1/{path:path}", answer, methods=["GET", "POST", "DELETE"], response_model=None)
    pages.add_pages(app, account)
    happenings.add_happenings(app, account)
    return app


def admit(account: Account, request: Request) -> None:
    """Let in who has the account's key and speaks a version that exists."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if not key:
        raise invalid("You did not provide an API key.", status=401)
    if scheme != "Bearer" or key != account.api_key:
        raise invalid(f"Invalid API Key provided: {key[:8]}***", status=401)
    version = request.headers.get("stripe-version", API_VERSION)
    if VERSION_FORM.fullmatch(version) is None:
        raise invalid(f"Invalid Stripe API version: {version}")


def once(account: Account, key: str, asked: Any, kept: dict[str, tuple[Any, Response]]) -> Response:
    """Answer the first time, repeat that answer to the same question, and refuse another question with the same key."""
    if len(key) > LONGEST_KEY:
        raise invalid(f"Idempotency keys are at most {LONGEST_KEY} characters long.")
    if key not in kept:
        # What a handler takes out of the parameters is still part of the question.
        question = snapshot(list(asked))
        answered = performed(account, *asked)
        # What did not even begin to be executed may be asked again, mended.
        if answered.status_code not in NOT_BEGUN:
            kept[key] = (question, answered)
        return answered
    question, answered = kept[key]
    if question != list(asked):
        message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
        raise Fault(400, "idempotency_error", message)
    repeated = Response(answered.body, answered.status_code, media_type="application/json")
    repeated.headers["idempotent-replayed"] = "true"
    repeated.headers["original-request"] = answered.headers["request-id"]
    return repeated


def performed(account: Account, method: str, path: str, params: Json) -> Response:
    try:
        return respond(perform(account, method, path, params))
    except Fault as fault:
        return respond(fault.body, fault.status)


def respond(body: Json, status: int = 200) -> Response:
    headers = {"request-id": new_id("req"), "stripe-version": API_VERSION}
    return JSONResponse(body, status, headers)
