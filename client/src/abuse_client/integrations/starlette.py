"""Starlette: what the network says of a request, sign-ins, and routes that only judged requests reach."""

from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from abuse_client.contract import AuthEventType
from abuse_client.gateway.asgi import header_fields
from abuse_client.gateway.async_guard import AsksAsync, AsyncGuard
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import RequestFacts, Trust
from abuse_client.gateway.passage import Passage
from abuse_client.gateway.rulings import Refusal
from abuse_client.gateway.settings import GuardSettings
from abuse_client.integrations.reports import Reports
from abuse_client.integrations.sign_ins import auth_event


class AsyncClient(AsksAsync, Reports, Protocol):
    """What is needed of `abuse_client.AsyncAbuseClient`."""


class RefusedRequest(HTTPException):
    """The abuse service had this request refused; `StarletteAbuse.install` answers it in the gateway's shape."""

    def __init__(self, refusal: Refusal) -> None:
        headers = {name: value for name, value in refusal.headers.items() if name != "content-type"}
        super().__init__(refusal.status, refusal.message, headers)
        self.refusal = refusal


class StarletteAbuse:
    """The client, the guard and whose headers are believed, for the routes of an application."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        trust: Trust | None = None,
        settings: GuardSettings | None = None,
    ) -> None:
        self.client = client
        self.guard: AsyncGuard = AsyncGuard(client, settings)
        self._trust = trust or Trust()

    def install(self, app: Starlette) -> None:
        """Have the application answer refusals as an AI gateway does: 403 ``abuse_blocked``, 429 with Retry-After."""
        app.add_exception_handler(RefusedRequest, _answer)

    def facts(self, request: HTTPConnection) -> RequestFacts:
        """Where a request comes from, believed from trusted peers only."""
        peer = request.client.host if request.client else None
        return self._trust.read(peer, header_fields(request.scope["headers"]))

    async def admit(self, request: Request, *, kilo_user_id: str | None, **fields: Any) -> Passage:
        """Judge an LLM request. Raises `RefusedRequest`; the passage says on which model to serve, and takes the cost.

        ``fields`` are the contract's and win over what is read from the body and the headers.
        """
        asked = describe_llm_request(await request.body(), self.facts(request), kilo_user_id=kilo_user_id, **fields)
        passage = await self.guard.admit(asked)
        if passage.refusal is not None:
            raise RefusedRequest(passage.refusal)
        return passage

    def report_sign_up(self, request: HTTPConnection, *, kilo_user_id: str, email: str, **fields: Any) -> None:
        """Report that an account was made; call it after the commit."""
        self._report(AuthEventType.SIGNUP, request, kilo_user_id, email, fields)

    def report_sign_in(self, request: HTTPConnection, *, kilo_user_id: str, email: str, **fields: Any) -> None:
        """Report that somebody signed in; the attempt of one whom the product blocks is reported too."""
        self._report(AuthEventType.SIGNIN, request, kilo_user_id, email, fields)

    def _report(
        self, kind: AuthEventType, request: HTTPConnection, user: str, email: str, fields: dict[str, Any]
    ) -> None:
        report = auth_event(kind, self.facts(request), kilo_user_id=user, email=email, **fields)
        self.client.report_auth_event(report)


async def _answer(_: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedRequest):
        raise error
    return Response(error.refusal.body, error.refusal.status, error.refusal.headers)
