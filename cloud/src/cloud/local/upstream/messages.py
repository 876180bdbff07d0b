"""Anthropic's messages."""

from collections.abc import Iterator
from typing import Any

from cloud.local.upstream.answers import Answer, Question, texts_in
from cloud.local.upstream.chat import halves
from cloud.local.upstream.shapes import Json, functions, is_result, sent

ERRORS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}


class Messages:
    """`/messages`. Prompts go to the cache only where the request marks one (`cache_control`)."""

    def question(self, body: Json) -> Question | None:
        messages, most = body.get("messages"), body.get("max_tokens")
        if not isinstance(messages, list) or not isinstance(most, int) or most < 1:
            return None
        gave = tool_result_in(messages)
        may_call = gave is None and (body.get("tool_choice") or {}).get("type") != "none"
        return Question(
            model=str(body.get("model")),
            texts=texts_in([body.get("system"), messages, body.get("tools")]),
            max_tokens=most,
            tools=tuple(functions(body.get("tools"), "input_schema")) if may_call else (),
            tool_result=gave,
        )

    def whole(self, body: Json, answer: Answer) -> Json:
        return self._head(answer) | {"content": [block(answer)], "stop_reason": stop(answer), "usage": usage(answer)}

    def events(self, body: Json, answer: Answer) -> Iterator[bytes]:
        head = self._head(answer) | {"usage": usage(answer) | {"output_tokens": 1}}
        yield sent({"type": "message_start", "message": head}, "message_start")
        begun = {"type": "content_block_start", "index": 0, "content_block": block(answer, is_full=False)}
        yield sent(begun, "content_block_start")
        yield sent({"type": "ping"}, "ping")
        for delta in deltas(answer):
            yield sent({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        yield sent({"type": "content_block_stop", "index": 0}, "content_block_stop")
        end = {"stop_reason": stop(answer), "stop_sequence": None}
        told = {"output_tokens": answer.output_tokens}
        yield sent({"type": "message_delta", "delta": end, "usage": told}, "message_delta")
        yield sent({"type": "message_stop"}, "message_stop")

    def error(self, status: int, code: str, message: str) -> Json:
        return {"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": message}}

    def _head(self, answer: Answer) -> Json:
        return {
            "id": f"msg_{answer.id}",
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }


def tool_result_in(messages: list[Any]) -> str | None:
    """Return what a tool gave, if the last message tells it."""
    content = messages[-1].get("content") if messages and isinstance(messages[-1], dict) else None
    results = [one for one in content if is_result(one, type="tool_result")] if isinstance(content, list) else []
    return "".join(texts_in(results[-1].get("content"))) if results else None


def block(answer: Answer, *, is_full: bool = True) -> Json:
    if answer.call is None:
        return {"type": "text", "text": answer.text if is_full else ""}
    arguments = answer.call.arguments_object if is_full else {}
    return {"type": "tool_use", "id": f"toolu_{answer.call.id}", "name": answer.call.name, "input": arguments}


def deltas(answer: Answer) -> Iterator[Json]:
    if answer.call is None:
        yield from ({"type": "text_delta", "text": piece} for piece in answer.pieces)
    else:
        parts = halves(answer.call.arguments)
        yield from ({"type": "input_json_delta", "partial_json": part} for part in parts)


def stop(answer: Answer) -> str:
    return "tool_use" if answer.call else "max_tokens" if answer.is_cut_short else "end_turn"


def usage(answer: Answer) -> Json:
    """What came from the cache or went there is counted apart from the rest of the prompt."""
    hit, write = answer.cache_hit_tokens, answer.cache_write_tokens
    return {
        "input_tokens": answer.input_tokens - hit - write,
        "cache_read_input_tokens": hit,
        "cache_creation_input_tokens": write,
        "output_tokens": answer.output_tokens,
    }
