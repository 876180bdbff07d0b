"""OpenAI's chat completions, and fill-in-the-middle, which Mistral answers in nearly the same shape."""

from collections.abc import Iterator
from typing import Any

from cloud.local.upstream.answers import Answer, Question, texts_in
from cloud.local.upstream.shapes import Json, functions, is_result, limit, sent

DONE = b"data: [DONE]\n\n"


class ChatCompletions:
    """`/chat/completions`."""

    id_prefix = "chatcmpl-"

    def question(self, body: Json) -> Question | None:
        messages = body.get("messages")
        if not isinstance(messages, list):
            return None
        last = messages[-1] if messages else None
        gave = is_result(last, role="tool")
        may_call = not gave and body.get("tool_choice") != "none"
        return Question(
            model=str(body.get("model")),
            texts=texts_in(messages) + texts_in(body.get("tools")),
            max_tokens=limit(body, "max_completion_tokens", "max_tokens"),
            tools=tuple(functions(body.get("tools"), "parameters")) if may_call else (),
            tool_result=str(last.get("content")) if gave and isinstance(last, dict) else None,
        )

    def whole(self, body: Json, answer: Answer) -> Json:
        message: Json = {"role": "assistant", "content": answer.text or None}
        if answer.call is not None:
            message["tool_calls"] = [called(answer)]
        choice = {"index": 0, "message": message, "finish_reason": finish(answer)}
        return self._head(answer, "chat.completion") | {"choices": [choice], "usage": self.usage(answer)}

    def events(self, body: Json, answer: Answer) -> Iterator[bytes]:
        head = self._head(answer, "chat.completion.chunk")
        yield sent(head | chosen({"role": "assistant", "content": ""}))
        for piece in answer.pieces:
            yield sent(head | chosen({"content": piece}))
        if answer.call is not None:
            for number, part in enumerate(halves(answer.call.arguments)):
                begun = {**called(answer), "index": 0}
                begun["function"] = {"name": answer.call.name, "arguments": part}
                going_on = {"index": 0, "function": {"arguments": part}}
                yield sent(head | chosen({"tool_calls": [going_on if number else begun]}))
        yield from self._end(body, answer, head)

    def error(self, status: int, code: str, message: str) -> Json:
        return {"error": {"message": message, "type": code, "param": None, "code": code}}

    def usage(self, answer: Answer) -> Json:
        return totals(answer) | {"prompt_tokens_details": {"cached_tokens": answer.cache_hit_tokens}}

    def _end(self, body: Json, answer: Answer, head: Json) -> Iterator[bytes]:
        yield sent(head | chosen({}, finish(answer)))
        if (body.get("stream_options") or {}).get("include_usage"):
            yield sent(head | {"choices": [], "usage": self.usage(answer)})
        yield DONE

    def _head(self, answer: Answer, kind: str) -> Json:
        return {"id": self.id_prefix + answer.id, "object": kind, "created": 0, "model": answer.model}


class FillInTheMiddle(ChatCompletions):
    """`/fim/completions`: a prompt and a suffix; the last piece of a stream tells the usage unasked."""

    id_prefix = "fim-"

    def question(self, body: Json) -> Question | None:
        prompt, suffix = body.get("prompt"), body.get("suffix")
        if not isinstance(prompt, str):
            return None
        return Question(
            model=str(body.get("model")), texts=texts_in([prompt, suffix]), max_tokens=limit(body, "max_tokens")
        )

    def error(self, status: int, code: str, message: str) -> Json:
        return {"object": "error", "message": message, "type": code, "param": None, "code": code}

    def usage(self, answer: Answer) -> Json:
        return totals(answer)

    def _end(self, body: Json, answer: Answer, head: Json) -> Iterator[bytes]:
        yield sent(head | chosen({"content": ""}, finish(answer)) | {"usage": self.usage(answer)})
        yield DONE


def chosen(delta: Json, finish_reason: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def called(answer: Answer) -> Json:
    call = answer.call
    assert call is not None
    return {
        "id": f"call_{call.id}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def finish(answer: Answer) -> str:
    return "tool_calls" if answer.call else "length" if answer.is_cut_short else "stop"


def totals(answer: Answer) -> dict[str, Any]:
    total = answer.input_tokens + answer.output_tokens
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": total,
    }


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]
