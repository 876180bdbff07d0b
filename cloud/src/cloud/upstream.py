"""A provider that runs on this machine: answers in OpenAI's shape, with real streams and honest token counts.

A token is a word. An answer has as many words as the request asks for (`max_tokens`), 64 where it does not say.
"""

import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

WORDS = ("the", "answer", "is", "made", "on", "this", "machine", "word", "by", "word")
WORDS_A_CHUNK = 50
USUAL_WORDS = 64


def create_upstream() -> FastAPI:
    """Return the provider's application."""
    app = FastAPI(title="upstream")
    app.add_api_route("/v1/chat/completions", answer_chat, methods=["POST"], response_model=None)
    app.add_api_route("/healthz", answer_health, methods=["GET"])
    return app


async def answer_health() -> dict[str, str]:
    """Say that the provider serves."""
    return {"status": "ok"}


async def answer_chat(request: Request) -> Response:
    """Complete a chat, whole or streamed."""
    body = await request.json()
    if not isinstance(body.get("messages"), list):
        return JSONResponse({"error": {"code": "invalid_request", "message": "found no messages"}}, 400)
    if body.get("stream"):
        return StreamingResponse(stream_lines(body), media_type="text/event-stream")
    return JSONResponse(whole_answer(body))


def whole_answer(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": " ".join(answer_words(body))}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return envelope(body, "chat.completion") | {"choices": [choice], "usage": usage(body)}


def stream_lines(body: dict[str, Any]) -> Iterator[bytes]:
    head = envelope(body, "chat.completion.chunk")
    words = iter(answer_words(body))
    while piece := list(islice(words, WORDS_A_CHUNK)):
        choice = {"index": 0, "delta": {"content": " ".join(piece) + " "}, "finish_reason": None}
        yield event(head | {"choices": [choice]})
    yield event(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event(head | {"choices": [], "usage": usage(body)})
    yield b"data: [DONE]\n\n"


def event(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": 0, "model": body.get("model")}


def answer_words(body: dict[str, Any]) -> list[str]:
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or USUAL_WORDS
    return list(islice(cycle(WORDS), int(limit)))


def usage(body: dict[str, Any]) -> dict[str, int]:
    prompt = sum(len(str(message.get("content", "")).split()) for message in body["messages"])
    completion = len(answer_words(body))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
