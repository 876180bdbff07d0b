"""Builders, a fixed clock and in-memory twins, for tests of the service and of what is built upon it."""

from abuse_service.testing.memory import KnownStates, MemoryColdStates, MemoryIndex, MemoryLog
from abuse_service.testing.policies import HARD_RULE, policy_of, policy_text
from abuse_service.testing.tellings import Telling, event, in_each_order, sent, signed_in, stripe_event
from abuse_service.testing.world import (
    EVENT_KEYS,
    HOSTING_NETWORK,
    NOW_MS,
    SECRET,
    TOKENS,
    World,
    default_policy,
    entity_of,
)

__all__ = [
    "EVENT_KEYS",
    "HARD_RULE",
    "HOSTING_NETWORK",
    "KnownStates",
    "MemoryColdStates",
    "MemoryIndex",
    "MemoryLog",
    "NOW_MS",
    "SECRET",
    "TOKENS",
    "Telling",
    "World",
    "default_policy",
    "entity_of",
    "event",
    "in_each_order",
    "policy_of",
    "policy_text",
    "sent",
    "signed_in",
    "stripe_event",
]
