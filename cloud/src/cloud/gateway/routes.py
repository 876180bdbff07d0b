"""The gateway's addresses, in OpenAI's shape."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

import httpx
from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse
from starlette.requests import HTTPConnection, Request

from abuse_client.gateway import Refusal
from cloud.accounts.sessions import find_user
from cloud.billing.ledger import spendable
from cloud.billing.owners import Owner
from cloud.context import Cloud, Context, Facts
from cloud.errors import Forbidden, error_response
from cloud.gateway.catalogue import CATALOGUE
from cloud.gateway.chat import Caller, read_chat
from cloud.gateway.service import Gateway, serve_chat
from cloud.gateway.upstream_calls import Answer
from cloud.organizations.roles import find_member

router = APIRouter(prefix="/v1", tags=["gateway"])


def gateway_of(connection: HTTPConnection) -> Gateway:
    return cast(Gateway, connection.app.state.gateway)


def caller_of(connection: HTTPConnection, cloud: Context, facts: Facts) -> Caller:
    """Return who asks; without a session it is the address."""
    own_key = connection.headers.get("x-provider-key")
    editor_name = connection.headers.get("x-editor-name")
    user = find_user(cloud, connection)
    if user is None:
        return Caller(user_id=f"anon:{facts.client_ip}", is_anonymous=True, own_key=own_key, editor_name=editor_name)
    organization_id = organization_of(cloud, connection, user.id)
    owner = Owner(user_id=user.id, organization_id=organization_id)
    with cloud.database.reading() as session:
        balance_microdollars = spendable(session, owner)
    return Caller(
        user_id=user.id,
        is_anonymous=False,
        is_blocked=user.blocked_at is not None,
        balance_microdollars=balance_microdollars,
        organization_id=organization_id,
        own_key=own_key,
        editor_name=editor_name,
    )


def organization_of(cloud: Cloud, connection: HTTPConnection, user_id: str) -> str | None:
    organization_id = connection.headers.get("x-organization-id")
    if organization_id is None:
        return None
    with cloud.database.reading() as session:
        if find_member(session, organization_id, user_id) is None:
            raise Forbidden("the account is no member of this organization")
    return organization_id


@router.get("/models")
def get_models() -> dict[str, object]:
    """List the models on sale."""
    models = [{"id": model.name, "object": "model", "owned_by": model.provider} for model in CATALOGUE.values()]
    return {"object": "list", "data": models}


@router.post("/chat/completions")
async def post_chat(
    request: Request,
    facts: Facts,
    caller: Annotated[Caller, Depends(caller_of)],
    gateway: Annotated[Gateway, Depends(gateway_of)],
) -> Response:
    """Answer a chat request, whole or streamed."""
    chat = read_chat(await request.body(), caller, facts)
    try:
        return answer_chat(await serve_chat(gateway, chat))
    except httpx.HTTPError:
        return error_response(502, "upstream_unavailable", "the provider does not answer; try again")


def answer_chat(outcome: Answer | AsyncIterator[bytes] | Refusal) -> Response:
    if isinstance(outcome, Refusal):
        return answer_refusal(outcome)
    if isinstance(outcome, Answer):
        return Response(outcome.body, outcome.status, media_type="application/json")
    return StreamingResponse(outcome, media_type="text/event-stream")


def answer_refusal(refusal: Refusal) -> Response:
    return Response(refusal.body, refusal.status, refusal.headers)
