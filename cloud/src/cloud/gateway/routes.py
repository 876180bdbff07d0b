"""The gateway's addresses, each in the shape of its API."""

import logging
from typing import cast

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from abuse_client.gateway import Refusal
from cloud.context import cloud_of
from cloud.errors import CloudError
from cloud.gateway.callers import find_caller
from cloud.gateway.catalogue import CATALOGUE, describe
from cloud.gateway.dialects import DIALECTS, Dialect
from cloud.gateway.llm_request import read_request
from cloud.gateway.service import Gateway, StreamedAnswer, serve
from cloud.gateway.streams import Stream
from cloud.gateway.upstreams import Outage
from cloud.network import read_network_facts

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/v1", tags=["gateway"])

MAX_BODY_BYTES = 32 * 2**20


class TooLarge(CloudError):
    """found a body of more than 32 MiB"""

    status = 413
    code = "request_too_large"


def gateway_of(connection: HTTPConnection) -> Gateway:
    return cast(Gateway, connection.app.state.gateway)


@router.get("/models")
async def get_models() -> dict[str, object]:
    """List the models on sale, with their prices."""
    models = [describe(model) for model in CATALOGUE.values()]
    names = list(CATALOGUE)
    return {"object": "list", "data": models, "has_more": False, "first_id": names[0], "last_id": names[-1]}


class Endpoint:
    """Answers the requests of one API, with refusals and failures in its own shape too.

    A bare ASGI application: what a framework does for a request would be most of what the gateway does for it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        dialect = self._dialect
        try:
            return await answer_request(dialect, request)
        except CloudError as error:
            return refuse(dialect, Refusal(status=error.status, code=error.code, message=str(error)))
        except Outage as error:
            return refuse(dialect, Refusal(status=502, code=error.code, message=str(error)))
        except SQLAlchemyError as error:
            logger.error("%s: the database failed: %s", dialect.path, type(error).__name__)
            return refuse(dialect, Refusal(status=503, code="unavailable", message="the database fails; try again"))


endpoints = [Route(f"/v1{each.path}", Endpoint(each), methods=["POST"], name=each.feature) for each in DIALECTS]


async def answer_request(dialect: Dialect, request: Request) -> Response:
    cloud = cloud_of(request)
    facts = read_network_facts(request, cloud.settings)
    raw = await read_body(request)
    # The one look at the database before the answer, and so the one change of threads.
    caller = await run_in_threadpool(find_caller, cloud, request, facts)
    asked = read_request(dialect, raw, caller, facts, passed_on(dialect, request))
    outcome = await serve(gateway_of(request), asked)
    if isinstance(outcome, Refusal):
        return refuse(dialect, outcome)
    if isinstance(outcome, StreamedAnswer):
        return EventStream(outcome.stream, outcome.headers)
    return Response(outcome.body, outcome.status, outcome.headers)


def passed_on(dialect: Dialect, request: Request) -> dict[str, str]:
    """Return the headers for the provider."""
    wanted = {name: request.headers.get(name, usual) for name, usual in dialect.headers.items()}
    return {"content-type": "application/json"} | {name: value for name, value in wanted.items() if value is not None}


async def read_body(request: Request) -> bytes:
    """Return the body; raises `TooLarge` before it is in memory."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
    return bytes(body)


def refuse(dialect: Dialect, refusal: Refusal) -> Response:
    error = dialect.error(refusal.status, refusal.code, refusal.message)
    if refusal.challenge_type is not None:
        error.get("error", error)["challenge_type"] = refusal.challenge_type
    return JSONResponse(error, refusal.status, refusal.headers)


class EventStream(StreamingResponse):
    """A stream that is accounted for however its reader leaves."""

    def __init__(self, stream: Stream, headers: dict[str, str]) -> None:
        super().__init__(stream.pieces(), headers=headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.hang_up()
