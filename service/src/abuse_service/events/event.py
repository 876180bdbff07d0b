"""The event as the log keeps it: the bytes that came, and what intake learned about them."""

import hashlib

import msgspec

from abuse_service.events.entity import EntityKey

REQUEST_CLASSIFIED = "request.classified"
REQUEST_COST_REPORTED = "request.cost_reported"
AUTH_SIGNUP = "auth.signup"
AUTH_SIGNIN = "auth.signin"
ACCOUNT_JUDGED = "account.judged"
ENFORCEMENT_CHANGED = "service.enforcement_changed"

OWN_TYPES = frozenset(
    {REQUEST_CLASSIFIED, REQUEST_COST_REPORTED, AUTH_SIGNUP, AUTH_SIGNIN, ACCOUNT_JUDGED, ENFORCEMENT_CHANGED}
)
"""Types of events that the service itself makes. A sender who uses one in a batch means something else."""

FUTURE_TOLERANCE_MS = 5 * 60_000
"""A time in the future counts as receipt plus at most this."""

OWN_SOURCE = "service"
"""The source of events that the service itself makes."""


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What an address, an e-mail and a user agent said at the time, by offline data (decision 4)."""

    is_hosting: bool = False
    is_disposable_email: bool = False
    is_library_agent: bool = False
    mailbox_digits: int = 0
    version: str = ""


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One fact. Kept in the log as a MessagePack array of these fields, in this order.

    ``event_key`` is empty where every receipt counts. ``entities`` are those that the event names beside its identity.
    ``body`` is the JSON that came, repaired, prompts cut. ``outcome`` is the decision, for events that hold one.
    """

    type: str
    source: str
    occurred_at_ms: int
    received_at_ms: int
    body: bytes
    event_key: bytes = b""
    content_key: bytes = b""
    identity: str | None = None
    identity_entity: EntityKey | None = None
    entities: tuple[EntityKey, ...] = ()
    joins: tuple[str, ...] = ()
    facts: Facts | None = None
    outcome: bytes | None = None
    request_id: int | None = None

    @property
    def tie_breaker(self) -> bytes:
        """What orders two events of one instant and type, whatever order they arrived in."""
        return self.event_key or self.content_key or digest(self.body)


class Stored(msgspec.Struct, frozen=True):
    """An event and its position in the log, from 1."""

    position: int
    event: Event


def event_key(source: str, event_type: str, event_id: str) -> bytes:
    """16 bytes that stand for an event id, scoped by sender and type (decision 3)."""
    return hashlib.blake2b(f"{source}\0{event_type}\0{event_id}".encode(), digest_size=16).digest()


def content_event_key(source: str, event_type: str, occurred_at_ms: int, body: bytes) -> bytes:
    """16 bytes that stand for an event without an id: a hash of sender, type, time and content (decision 3)."""
    scope = f"{source}\0{event_type}\0{occurred_at_ms}\0"
    return hashlib.blake2b(scope.encode() + body, digest_size=16).digest()


def digest(content: bytes) -> bytes:
    """8 bytes that tell equal content from different content."""
    return hashlib.blake2b(content, digest_size=8).digest()
