"""The provider's application."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.types import Send

from cloud.local.upstream.answers import answer_to
from cloud.local.upstream.cache import PromptCache
from cloud.local.upstream.chat import ChatCompletions, FillInTheMiddle
from cloud.local.upstream.faults import RETRY_AFTER_SECONDS, STATUSES, Fault, fault_in
from cloud.local.upstream.messages import Messages
from cloud.local.upstream.pace import Pace
from cloud.local.upstream.responses import Responses
from cloud.local.upstream.shapes import Shape
from cloud.local.upstream.tokens import tokenizer, tokens_of

SHAPES: dict[str, Shape] = {
    "/v1/chat/completions": ChatCompletions(),
    "/v1/responses": Responses(),
    "/v1/messages": Messages(),
    "/v1/fim/completions": FillInTheMiddle(),
}
CACHED_UNASKED = frozenset({"/v1/chat/completions", "/v1/responses"})
GARBAGE = "<html><body>this is no answer</body></html>"
EVENTS_BEFORE_A_CUT = 3


def create_upstream(pace: Pace | None = None) -> FastAPI:
    """Return the provider's application."""
    tokenizer()
    provider = Provider(pace or Pace())
    app = FastAPI(title="upstream")
    for path in SHAPES:
        app.add_route(path, provider.answer, methods=["POST"])
    app.add_api_route("/healthz", answer_health, methods=["GET"])
    return app


async def answer_health() -> dict[str, str]:
    """Say that the provider serves."""
    return {"status": "ok"}


class Provider:
    """Answers requests at its pace."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._cache = PromptCache()

    async def answer(self, request: Request) -> Response:
        """Answer whole or streamed, or fail as asked."""
        shape = SHAPES[request.url.path]
        body = read_object(await request.body())
        question = shape.question(body)
        if question is None:
            return JSONResponse(shape.error(400, "invalid_request_error", "found no valid prompt"), 400)
        fault = fault_in(body)
        await asyncio.sleep(self._pace.first_token_seconds)
        if fault in STATUSES:
            return refuse(shape, fault)
        if fault is Fault.GARBAGE:
            return HTMLResponse(GARBAGE)
        prompt = [token for text in question.texts for token in tokens_of(text)]
        caches = request.url.path in CACHED_UNASKED or b"cache_control" in await request.body()
        cached = self._cache.read(prompt) if caches else (0, 0)
        answer = answer_to(question, prompt, cached, self._pace.tokens_a_piece)
        if body.get("stream"):
            events = shape.events(body, answer)
            if fault is Fault.CUT:
                return CutStream(self._paced(islice(events, EVENTS_BEFORE_A_CUT)), media_type="text/event-stream")
            return StreamingResponse(self._paced(events), media_type="text/event-stream")
        if fault is Fault.CUT:
            return CutStream(iter([b'{"id": "cut']), media_type="application/json")
        return JSONResponse(shape.whole(body, answer))

    async def _paced(self, events: Iterator[bytes]) -> AsyncIterator[bytes]:
        for event in events:
            yield event
            if self._pace.piece_seconds:
                await asyncio.sleep(self._pace.piece_seconds)


class CutStream(StreamingResponse):
    """A stream at whose end the connection breaks: the server drops one whose answer was not completed."""

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def refuse(shape: Shape, fault: Fault) -> Response:
    status = STATUSES[fault]
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if fault is Fault.RATE_LIMIT else None
    return JSONResponse(shape.error(status, fault.value, "as asked"), status, headers)


def read_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
