"""Enforcement in an AI gateway: judge each request before it is served, and tie its cost to the judgement.

``Guard`` for threads, ``AsyncGuard`` for asyncio, ``GuardMiddleware`` for ASGI applications, and `rule_on` for those
who ask and remember by themselves.
"""

from abuse_client.contract import identity_key
from abuse_client.gateway.asgi import AskedRequest, GuardMiddleware, passage_of
from abuse_client.gateway.async_guard import AsyncGuard
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import CLOUDFLARE, FORWARDED, NO_EDGE, VERCEL, Edge, RequestFacts, Trust, trust
from abuse_client.gateway.guard import Guard
from abuse_client.gateway.measures import Measure, measure_in
from abuse_client.gateway.memory import Memory
from abuse_client.gateway.passage import Passage
from abuse_client.gateway.rulings import Refusal, Ruling, rule, rule_on
from abuse_client.gateway.settings import GuardSettings, Mode

__all__ = [
    "CLOUDFLARE",
    "FORWARDED",
    "NO_EDGE",
    "VERCEL",
    "AskedRequest",
    "AsyncGuard",
    "Edge",
    "Guard",
    "GuardMiddleware",
    "GuardSettings",
    "Measure",
    "Memory",
    "Mode",
    "Passage",
    "Refusal",
    "RequestFacts",
    "Ruling",
    "Trust",
    "describe_llm_request",
    "identity_key",
    "measure_in",
    "passage_of",
    "rule",
    "rule_on",
    "trust",
]
