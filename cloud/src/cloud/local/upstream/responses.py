"""OpenAI's responses."""

from collections.abc import Iterator
from itertools import count

from cloud.local.upstream.answers import Answer, Question, texts_in
from cloud.local.upstream.chat import halves
from cloud.local.upstream.shapes import Json, functions, is_result, limit, sent


class Responses:
    """`/responses`."""

    def question(self, body: Json) -> Question | None:
        given = body.get("input")
        if not isinstance(given, str | list):
            return None
        last = given[-1] if given and isinstance(given, list) else None
        gave = is_result(last, type="function_call_output")
        may_call = not gave and body.get("tool_choice") != "none"
        return Question(
            model=str(body.get("model")),
            texts=texts_in([body.get("instructions"), given, body.get("tools")]),
            max_tokens=limit(body, "max_output_tokens"),
            tools=tuple(functions(body.get("tools"), "parameters")) if may_call else (),
            tool_result=str(last.get("output")) if gave and isinstance(last, dict) else None,
        )

    def whole(self, body: Json, answer: Answer) -> Json:
        status = "incomplete" if answer.is_cut_short else "completed"
        return self._head(body, answer, status) | {
            "output": [item(answer, "completed")],
            "incomplete_details": {"reason": "max_output_tokens"} if answer.is_cut_short else None,
            "usage": {
                "input_tokens": answer.input_tokens,
                "input_tokens_details": {"cached_tokens": answer.cache_hit_tokens, "cache_write_tokens": 0},
                "output_tokens": answer.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": answer.input_tokens + answer.output_tokens,
            },
        }

    def events(self, body: Json, answer: Answer) -> Iterator[bytes]:
        numbers = count()

        def tell(kind: str, **fields: object) -> bytes:
            return sent({"type": kind, "sequence_number": next(numbers), **fields}, kind)

        begun = self._head(body, answer, "in_progress") | {"output": [], "usage": None, "incomplete_details": None}
        empty, full = item(answer, "in_progress"), item(answer, "completed")
        place = {"item_id": full["id"], "output_index": 0}
        yield tell("response.created", response=begun)
        yield tell("response.output_item.added", output_index=0, item=empty)
        if answer.call is not None:
            for part in halves(answer.call.arguments):
                yield tell("response.function_call_arguments.delta", **place, delta=part)
            arguments = answer.call.arguments
            yield tell("response.function_call_arguments.done", **place, arguments=arguments, name=answer.call.name)
        else:
            place["content_index"] = 0
            yield tell("response.content_part.added", **place, part=text_part(""))
            for piece in answer.pieces:
                yield tell("response.output_text.delta", **place, delta=piece, logprobs=[])
            yield tell("response.output_text.done", **place, text=answer.text, logprobs=[])
            yield tell("response.content_part.done", **place, part=text_part(answer.text))
        yield tell("response.output_item.done", output_index=0, item=full)
        whole = self.whole(body, answer)
        yield tell(f"response.{whole['status']}", response=whole)

    def error(self, status: int, code: str, message: str) -> Json:
        return {"error": {"message": message, "type": code, "param": None, "code": code}}

    def _head(self, body: Json, answer: Answer, status: str) -> Json:
        return {
            "id": f"resp_{answer.id}",
            "object": "response",
            "created_at": 0,
            "status": status,
            "error": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "model": answer.model,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": body.get("tools") or [],
            "top_p": 1.0,
        }


def item(answer: Answer, status: str) -> Json:
    """Return the one output of the answer, empty as long as it is in progress."""
    is_full = status == "completed"
    if answer.call is not None:
        return {
            "type": "function_call",
            "id": f"fc_{answer.id}",
            "call_id": f"call_{answer.call.id}",
            "name": answer.call.name,
            "arguments": answer.call.arguments if is_full else "",
            "status": status,
        }
    content = [text_part(answer.text)] if is_full else []
    return {"type": "message", "id": f"msg_{answer.id}", "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
