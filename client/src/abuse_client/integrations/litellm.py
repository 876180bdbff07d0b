"""LiteLLM: requests are judged before the call and their cost is reported after it, streams included.

For the proxy, a file ``abuse.py`` beside the configuration, which names it: ``callbacks: abuse.callback``.

```python
callback = AbuseCallback(AsyncAbuseClient(), trust=trust("forwarded", ["10.0.0.0/8"]))
```

For the SDK ask the guard yourself and tie the call to the passage:

```python
litellm.callbacks = [callback]
passage = await callback.guard.admit(describe_llm_request(body, facts, kilo_user_id=user_id))
answer = await litellm.acompletion(model=passage.model or model, messages=messages, **callback.tie(passage))
```
"""

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

from abuse_client.contract import ClassifyPayload
from abuse_client.gateway.async_guard import AsksAsync, AsyncGuard
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import Trust
from abuse_client.gateway.passage import Passage
from abuse_client.gateway.settings import GuardSettings
from abuse_client.integrations import openai, streams
from abuse_client.integrations.usage import Costing, Meter, Usage, read

log: logging.Logger = logging.getLogger("abuse_client.litellm")

KEY = "abuse_passage"
MAX_OPEN_CALLS = 10_000
_GENERATING = frozenset(
    {"completion", "acompletion", "text_completion", "atext_completion", "responses", "aresponses"}
    | {"anthropic_messages", "aanthropic_messages"}
)

UserOf = Callable[[Any, dict[str, Any]], str | None]


def user_of_key(key: Any, _: dict[str, Any]) -> str | None:
    """The end user whom the proxy knows, or else the user whom the key was issued to."""
    found = read(key, "end_user_id") or read(key, "user_id")
    return found if isinstance(found, str) else None


class AbuseCallback(CustomLogger):  # type: ignore[misc]
    """Refuses, slows down and reroutes what the abuse service says, and reports what each call cost.

    ``user_of`` says who asks, from the proxy's key and the request. The cost is LiteLLM's own; ``costing`` prices
    models that it has no price for.
    """

    def __init__(
        self,
        client: AsksAsync,
        *,
        trust: Trust | None = None,
        settings: GuardSettings | None = None,
        user_of: UserOf = user_of_key,
        costing: Costing | None = None,
    ) -> None:
        super().__init__()
        self.guard: AsyncGuard = AsyncGuard(client, settings)
        self._trust = trust or Trust()
        self._user_of = user_of
        self._costing = costing
        self._open: OrderedDict[str, _Call] = OrderedDict()
        self._lock = threading.Lock()

    def tie(self, passage: Passage) -> dict[str, dict[str, str]]:
        """The arguments that tie a call of the SDK to a passage, so that its cost is reported."""
        return {"metadata": {KEY: self._keep(passage, 0)}}

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any] | None:
        """Judge a request of the proxy before it is routed. Raises what the proxy answers as 403 or 429."""
        if call_type not in _GENERATING:
            return None
        try:
            asked = self._describe(user_api_key_dict, data)
        except Exception:  # the product's own function, or a request in a shape that we do not know
            log.exception("a request could not be described, so it passes unasked")
            return None
        passage = await self.guard.admit(asked)
        if passage.refusal is not None:
            raise HTTPException(passage.refusal.status, passage.refusal.fields, passage.refusal.headers)
        said = len(asked.user_prompt or "") + len(asked.system_prompt or "")
        for name in ("metadata", "litellm_metadata"):
            if isinstance(data.get(name), dict):
                data[name][KEY] = self._keep(passage, said)
                break
        return data | {"model": passage.model} if passage.model else data

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Report what a call of the proxy or the asyncio SDK cost; LiteLLM calls it at the end of a stream too."""
        self._settle(kwargs, response_obj)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same for the SDK of threads."""
        self._settle(kwargs, response_obj)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Forget a call that the provider did not serve: what it cost is unknown, which is not zero."""
        self._open_call(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same for the SDK of threads."""
        self._open_call(kwargs)

    def _describe(self, key: Any, data: dict[str, Any]) -> ClassifyPayload:
        metadata = data.get("metadata") or data.get("litellm_metadata") or {}
        request = data.get("proxy_server_request") or {}
        headers = {str(name).lower(): value for name, value in (request.get("headers") or {}).items()}
        facts = self._trust.read(metadata.get("requester_ip_address"), headers)
        return describe_llm_request(data, facts, kilo_user_id=self._user_of(key, data))

    def _keep(self, passage: Passage, prompt_characters: int) -> str:
        name = uuid.uuid4().hex
        with self._lock:
            self._open[name] = _Call(passage, prompt_characters)
            if len(self._open) > MAX_OPEN_CALLS:
                self._open.popitem(last=False)
        return name

    def _open_call(self, kwargs: Any) -> "_Call | None":
        parameters = read(kwargs, "litellm_params") or {}
        for metadata in (read(parameters, "metadata"), read(parameters, "litellm_metadata")):
            name = read(metadata, KEY) if metadata else None
            if isinstance(name, str):
                with self._lock:
                    return self._open.pop(name, None)
        return None

    def _settle(self, kwargs: Any, answer: Any) -> None:
        call = self._open_call(kwargs)
        if call is None:
            return
        told = read(kwargs, "response_cost")
        if not isinstance(told, int | float) and self._costing is None:
            log.warning("LiteLLM has no price for the model, so no cost is reported; give AbuseCallback a costing")
            return

        def costing(model: str, usage: Usage) -> int:
            if isinstance(told, int | float) and (told or self._costing is None):
                return round(told * 1_000_000)
            assert self._costing is not None
            return self._costing(model, usage)

        meter = Meter(call.passage, costing, prompt_characters=call.prompt_characters)
        openai.take(meter, answer)
        streams.report(meter)


class _Call(msgspec.Struct, frozen=True):
    """A call that was let through and has not ended."""

    passage: Passage
    prompt_characters: int
