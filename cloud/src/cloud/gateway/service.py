"""The way of a request through the gateway: classify, enforce, admit, serve, account."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from abuse_client import AsyncAbuseClient
from abuse_client.gateway import AsyncGuard, Passage, Refusal
from cloud.context import Cloud
from cloud.gateway.accounting import Account
from cloud.gateway.catalogue import FALLBACK, find_model
from cloud.gateway.classification import classify_payload
from cloud.gateway.llm_request import LlmRequest
from cloud.gateway.refusals import note_refusal
from cloud.gateway.streams import Stream, parse
from cloud.gateway.upstreams import (
    Garbage,
    KeyRefused,
    Outage,
    Upstreams,
    is_about_our_key,
    is_json,
    is_stream,
    is_success,
    passed_headers,
)

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 10.0
MODEL_HEADER = "x-served-model"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer of the provider, or its refusal, passed on as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class StreamedAnswer:
    """An answer that is still coming."""

    headers: dict[str, str]
    stream: Stream


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The gateway's parts, alive as long as the event loop that serves it."""

    cloud: Cloud
    abuse: AsyncAbuseClient
    guard: AsyncGuard
    upstreams: Upstreams
    kept: set[asyncio.Task[None]] = field(default_factory=set)

    def keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something to its end, whatever becomes of the request that it is for."""
        task = asyncio.create_task(work)
        self.kept.add(task)
        task.add_done_callback(self.kept.discard)
        return task

    async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - it bounds each of three waits
        """Wait until what is under way is accounted for and has left for the abuse service."""
        if self.kept:
            await asyncio.wait(self.kept, timeout=timeout)
        await self.guard.flush(timeout)
        await self.abuse.flush(timeout)

    async def close(self) -> None:
        """Account for what is under way, then hang up."""
        await self.flush(CLOSE_SECONDS)
        await self.upstreams.close()
        await self.abuse.close()


async def serve(gateway: Gateway, asked: LlmRequest) -> Answer | StreamedAnswer | Refusal:
    """Answer the request: whole, as a stream, or not at all. Raises `Outage` when the provider is to blame."""
    # Everybody is classified, the blocked and the penniless too: their attempts tell something.
    passage = await gateway.guard.admit(classify_payload(asked, gateway.cloud.settings), lingers=False)
    refusal = passage.refusal or admit(asked)
    if refusal is not None:
        _ = gateway.keep(note_refusal(gateway.cloud, asked, passage, refusal))
        return refusal
    if passage.ruling.wait_s:
        await asyncio.sleep(passage.ruling.wait_s)
    served = asked.with_model(find_model(passage.model) or FALLBACK) if passage.model else asked
    return await ask(gateway, served, passage)


def admit(asked: LlmRequest) -> Refusal | None:
    """Apply the cloud's own rules, which hold whatever the abuse service says or does not say."""
    caller, model = asked.caller, asked.model
    if caller.is_blocked:
        return Refusal(status=403, code="account_blocked", message="the account is blocked")
    if caller.is_anonymous and not model.is_free:
        return Refusal(status=401, code="not_signed_in", message="this model needs an account")
    if asked.is_charged and caller.balance_microdollars <= 0:
        return Refusal(status=402, code="insufficient_credits", message="this model needs credits")
    return None


async def ask(gateway: Gateway, asked: LlmRequest, passage: Passage) -> Answer | StreamedAnswer:
    """Have the provider answer."""
    response = await gateway.upstreams.send(asked)
    headers = passed_headers(response) | {MODEL_HEADER: asked.model.name}
    if not is_success(response):
        return await refused(response, asked, headers)
    account = Account(gateway.cloud, asked, passage)
    if not asked.is_streamed:
        body = await read_whole(response)
        answer = parse(body)
        if answer is None:
            raise Garbage
        account.take(answer)
        await asyncio.shield(gateway.keep(account.settle()))
        return Answer(status=response.status, headers=headers, body=body)
    if not is_stream(response):
        response.close()
        raise Garbage
    return StreamedAnswer(headers=headers, stream=Stream(response, asked, account, gateway.keep))


async def refused(response: aiohttp.ClientResponse, asked: LlmRequest, headers: dict[str, str]) -> Answer:
    """Pass the provider's refusal on, unless it is none that the caller could understand."""
    body = await read_whole(response)
    if is_about_our_key(response, asked):
        logger.error("%s refuses us with status %d", asked.model.provider, response.status)
        raise KeyRefused
    if not is_json(response):
        raise Garbage
    return Answer(status=response.status, headers=headers, body=body)


async def read_whole(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Outage from error
    finally:
        response.close()
