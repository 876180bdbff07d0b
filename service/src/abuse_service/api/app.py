"""The ASGI application."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from abuse_client.contract import ContractError, MalformedJson
from abuse_service.api import routes
from abuse_service.api.doors import Doors, Sender
from abuse_service.api.http import (
    JSON,
    Answer,
    BodyBudget,
    Receive,
    Scope,
    Send,
    announced_size,
    error_answer,
    header,
    is_large,
    read_body,
    send_answer,
)
from abuse_service.api.inflation import CODING, inflated, inflated_size, is_compressed
from abuse_service.console_api.routes import CONSOLE_BYTES, answer_console
from abuse_service.console_api.v1 import V1, answer_v1
from abuse_service.errors import BadRequest, MethodNotAllowed, NotFound, ServiceError, Unprocessable
from abuse_service.flow import Flow
from abuse_service.settings import Settings
from abuse_service.telemetry import log
from abuse_service.wiring import Service

Post = Callable[[Flow, Sender, bytes], Awaitable[Answer]]
Get = Callable[[Flow], Answer]

_POSTS: dict[str, tuple[Post, int]] = {
    "/api/classify": (routes.post_classify, routes.CLASSIFY_BYTES),
    "/api/usage/cost": (routes.post_cost, routes.OTHER_BYTES),
    "/api/auth-event": (routes.post_auth, routes.OTHER_BYTES),
    "/api/events": (routes.post_events, routes.OTHER_BYTES),
    "/api/noop": (routes.post_noop, routes.OTHER_BYTES),
}
_GETS: dict[str, Get] = {
    "/healthz": routes.get_health,
    "/readyz": routes.get_ready,
    "/openapi.json": routes.get_openapi,
    "/metrics": routes.get_metrics,
}
_CONSOLE = "/api/console/"
_SLASHES = re.compile("//+")


class Application:
    """The service over HTTP."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._flow = service.flow
        self._doors = Doors(settings)
        self._budget = BodyBudget(settings.body_bytes)
        self._read_seconds = settings.read_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Whatever happens, the answer is JSON and never a stack trace."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        # Clients join URL and path by plain concatenation: "//api/…" is "/api/…".
        path = scope["path"]
        if "//" in path:
            path = _SLASHES.sub("/", path)
        try:
            answer = await self._answer(path, scope, receive)
        except ContractError as error:
            kind = BadRequest if isinstance(error, MalformedJson) else Unprocessable
            answer = error_answer(kind(str(error), path=error.path or None))
        except ServiceError as error:
            answer = error_answer(error)
        except Exception:
            log.exception("a request failed", route=path if path in _POSTS else "other")
            answer = error_answer(ServiceError("the service failed; its log tells more"))
        self._flow.metrics.count_request(_label(path), answer.status).inc()
        await send_answer(send, answer, CODING if path in _POSTS else None)

    async def _answer(self, path: str, scope: Scope, receive: Receive) -> Answer:
        method = scope["method"]
        if path in _GETS:
            if method not in ("GET", "HEAD"):
                raise MethodNotAllowed
            if path == "/metrics":
                self._doors.admit(scope).require("read")
            return _GETS[path](self._flow)
        if path in _POSTS:
            if method != "POST":
                raise MethodNotAllowed
            post, most_bytes = _POSTS[path]
            return await self._post(post, most_bytes, scope, receive)
        if path.startswith(_CONSOLE):
            sender = self._doors.admit(scope)
            body = await self._read_change(scope, receive) if method == "POST" else b""
            query = scope["query_string"].decode("latin-1")
            place = path.removeprefix(_CONSOLE)
            return Answer(await answer_console(self._service, sender, method, place, query, body))
        if path.startswith(V1):
            sender = self._doors.admit(scope)
            raw_path = scope["raw_path"].decode("latin-1")
            query = scope["query_string"].decode("latin-1")
            body = await self._read_change(scope, receive) if method == "POST" else b""
            return Answer(await answer_v1(self._service, sender, method, raw_path, query, body))
        raise NotFound("no such route")

    async def _read_change(self, scope: Scope, receive: Receive) -> bytes:
        if not (header(scope, b"content-type") or b"").startswith(JSON):
            # A web page can make a browser send anything to this machine, but not this header without asking first.
            raise BadRequest("the console takes content-type application/json only")
        return await read_body(receive, CONSOLE_BYTES, self._read_seconds)

    async def _post(self, post: Post, most_bytes: int, scope: Scope, receive: Receive) -> Answer:
        sender = self._doors.admit(scope)
        size, inflates = announced_size(scope, most_bytes), is_compressed(scope)
        if inflates:
            size = inflated_size(size, most_bytes)
        async with AsyncExitStack() as held:
            if is_large(size):
                await held.enter_async_context(self._budget.hold(size))
            body = await read_body(receive, most_bytes, self._read_seconds)
            return await post(self._flow, sender, await inflated(body, most_bytes) if inflates else body)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._service.start()
                if self._doors.is_open:
                    log.warning("no service token is set: open to this machine, with every scope")
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._service.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _label(path: str) -> str:
    if path in _POSTS or path in _GETS:
        return path
    if path.startswith(V1):
        return "v1"
    return "console" if path.startswith(_CONSOLE) else "other"
