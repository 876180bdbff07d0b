"""The wire contract, and the client that a SaaS embeds.

``AbuseClient`` for threads, ``AsyncAbuseClient`` for asyncio, `abuse_client.events` for what to report, and the helpers
as plain functions over a client made from the environment. Reading the contract alone loads nothing of the client.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from abuse_client import events
    from abuse_client.async_client import AsyncAbuseClient
    from abuse_client.client import AbuseClient
    from abuse_client.default import (
        classify_request,
        close,
        flush,
        report_auth_event,
        report_cost,
        report_event,
        report_events,
        start_classification,
        stats,
    )
    from abuse_client.tally import Stats

__all__ = [
    "AbuseClient",
    "AsyncAbuseClient",
    "Stats",
    "classify_request",
    "close",
    "events",
    "flush",
    "report_auth_event",
    "report_cost",
    "report_event",
    "report_events",
    "start_classification",
    "stats",
]

_HOMES = {"AbuseClient": "client", "AsyncAbuseClient": "async_client", "Stats": "tally"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "events":
        return importlib.import_module("abuse_client.events")
    return getattr(importlib.import_module(f"abuse_client.{_HOMES.get(name, 'default')}"), name)
