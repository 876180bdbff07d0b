"""The way of a request through the gateway: classify, enforce, admit, serve, account."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from abuse_client import AsyncAbuseClient
from abuse_client.gateway import AsyncGuard, Refusal
from cloud.context import Cloud
from cloud.gateway.accounting import account
from cloud.gateway.catalogue import FALLBACK, find_model
from cloud.gateway.chat import Chat
from cloud.gateway.classification import classify_payload
from cloud.gateway.upstream_calls import Answer, Upstream


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The gateway's parts, alive as long as the event loop that serves it."""

    cloud: Cloud
    abuse: AsyncAbuseClient
    guard: AsyncGuard
    upstream: Upstream

    async def close(self) -> None:
        await self.upstream.close()
        await self.abuse.close()


async def serve_chat(gateway: Gateway, chat: Chat) -> Answer | AsyncIterator[bytes] | Refusal:
    """Answer the request: whole, as a stream, or not at all."""
    settings = gateway.cloud.settings
    # Everybody is classified, the blocked and the penniless too: their attempts tell something.
    passage = await gateway.guard.admit(classify_payload(chat, settings), lingers=False)
    is_answered = passage.classification is not None
    gateway.cloud.reporting.counts.add("classify" if is_answered else "classify.unanswered")
    refusal = passage.refusal or admit(chat)
    if refusal is not None:
        return refusal
    await asyncio.sleep(passage.ruling.wait_s)
    served = chat.with_model(find_model(passage.model) or FALLBACK) if passage.model else chat
    book = partial(account, gateway.cloud, served, passage)
    if served.is_streamed:
        return await gateway.upstream.stream(served, book)
    return await gateway.upstream.ask(served, book)


def admit(chat: Chat) -> Refusal | None:
    """Apply the cloud's own rules, which hold whatever the abuse service says or does not say."""
    caller, model = chat.caller, chat.model
    if caller.is_blocked:
        return Refusal(status=403, code="account_blocked", message="the account is blocked")
    if model.is_free or caller.own_key is not None:
        return None
    if caller.is_anonymous:
        return Refusal(status=401, code="not_signed_in", message="this model needs an account")
    if caller.balance_microdollars <= 0:
        return Refusal(status=402, code="insufficient_credits", message="this model needs credits")
    return None
