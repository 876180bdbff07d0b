"""An ASGI middleware that judges LLM requests before the application sees them."""

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload
from abuse_client.gateway.async_guard import AsyncGuard
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import RequestFacts, Trust
from abuse_client.gateway.judging import log
from abuse_client.gateway.passage import Passage
from abuse_client.gateway.rulings import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 32 * 2**20
PASSAGE = "abuse_passage"
LLM_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1/fim/completions", "/v1/messages", "/v1/responses")


class AskedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the middleware has read it."""

    scope: Scope
    headers: Mapping[str, str]
    """Names in lower case; one that came several times is joined by commas."""
    facts: RequestFacts
    body: bytes
    """Empty where it was longer than the middleware reads."""


Identify = Callable[[Scope], str | Awaitable[str | None] | None]
Describe = Callable[[AskedRequest, str | None], ClassifyPayload | Mapping[str, Any]]


def describe(request: AskedRequest, kilo_user_id: str | None) -> ClassifyPayload:
    """What the middleware asks about a request unless it is given another function."""
    return describe_llm_request(request.body, request.facts, kilo_user_id=kilo_user_id)


def passage_of(scope: Scope) -> Passage | None:
    """The passage of a request that the middleware let through, for its cost; ``None`` where it did not look."""
    found = scope.get("state", {}).get(PASSAGE)
    return found if isinstance(found, Passage) else None


class GuardMiddleware:
    """Answers 403 and 429, waits, and puts another model into the body, as the guard says.

    It looks at POST requests to ``paths`` only and leaves everything else alone. ``identify`` names the signed-in user
    of a scope (it may be a coroutine function) and runs before the application, so what it needs must already be there
    (a session middleware goes outside of this one). The application finds the request's `Passage` by
    `passage_of(scope)`, or as ``request.state.abuse_passage``, and reports the cost by it.
    """

    def __init__(
        self,
        app: Application,
        *,
        guard: AsyncGuard,
        identify: Identify,
        trust: Trust | None = None,
        paths: Iterable[str] = LLM_PATHS,
        describe: Describe = describe,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._guard = guard
        self._identify = identify
        self._trust = trust or Trust()
        self._paths = frozenset(paths)
        self._describe = describe
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or _path(scope) not in self._paths:
            await self._app(scope, receive, send)
            return
        incoming = _Incoming(receive)
        await incoming.read(self._max_body_bytes)
        passage = await self._admit(scope, incoming)
        if passage is None:
            await self._app(scope, incoming.replay, send)
        elif passage.refusal is not None:
            await _refuse(passage.refusal, send)
        else:
            scope = {**scope, "state": {**scope.get("state", {}), PASSAGE: passage}}
            if passage.model is not None:
                scope["headers"] = incoming.put_model(passage.model, scope["headers"])
            await self._app(scope, incoming.replay, send)

    async def _admit(self, scope: Scope, incoming: "_Incoming") -> Passage | None:
        try:
            headers = header_fields(scope["headers"])
            peer = scope.get("client")
            facts = self._trust.read(peer[0] if peer else None, headers)
            named = self._identify(scope)
            user = await named if inspect.isawaitable(named) else named
            request = AskedRequest(scope=scope, headers=headers, facts=facts, body=incoming.whole_body)
            asked = self._describe(request, user)
        except Exception:  # the product's own functions: a mistake in them must not take its users' requests
            log.exception("the request could not be described, so it passes unasked")
            return None
        return await self._guard.admit(asked)


def header_fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an ASGI scope by lower-case name, repeated ones joined by commas."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


class _Incoming:
    """A request's body, read ahead and played again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    @property
    def whole_body(self) -> bytes:
        """The body, or nothing if it was not read to its end."""
        if not self._messages or self._messages[-1]["type"] != "http.request" or self._messages[-1].get("more_body"):
            return b""
        return b"".join(message.get("body", b"") for message in self._messages)

    async def read(self, max_bytes: int) -> None:
        """Read to the end, or to where it is longer than that."""
        size = 0
        while size <= max_bytes:
            message = await self._receive()
            self._messages.append(message)
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    async def replay(self) -> Message:
        """What was read ahead, then what follows."""
        return self._messages.pop(0) if self._messages else await self._receive()

    def put_model(self, model: str, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Name another model in the body, if that is JSON and names one; returns the headers that go with it."""
        kept = list(headers)
        try:
            fields = json.loads(self.whole_body)
        except (ValueError, RecursionError):
            return kept
        if not isinstance(fields, dict) or "model" not in fields:
            return kept
        # ASCII escapes keep half a surrogate pair as it came.
        body = json.dumps(fields | {"model": model}).encode()
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]
        length = (b"content-length", str(len(body)).encode())
        return [length if name.lower() == b"content-length" else (name, value) for name, value in kept]


def _path(scope: Scope) -> str:
    """The path below the application's own root, which a server that is told of a prefix puts in front."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path") or "")


async def _refuse(refusal: Refusal, send: Send) -> None:
    headers = refusal.headers | {"content-length": str(len(refusal.body))}
    encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": refusal.body})
