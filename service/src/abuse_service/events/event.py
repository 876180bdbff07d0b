"""The event as the log keeps it: the bytes that came, and what intake learned about them."""

import hashlib

import msgspec

from abuse_service.events.entity import EntityKey

REQUEST_CLASSIFIED = "request.classified"
REQUEST_COST_REPORTED = "request.cost_reported"
AUTH_SIGNUP = "auth.signup"
AUTH_SIGNIN = "auth.signin"
ORG_DELETED = "org.deleted"
ACCOUNT_JUDGED = "account.judged"
ENFORCEMENT_CHANGED = "service.enforcement_changed"
LIST_CHANGED = "service.list_changed"
RULE_GUARDED = "service.rule_guarded"
RULE_RELEASED = "service.rule_released"
POLICY_ACTIVATED = "service.policy_activated"
CUSTOMER_LINKED = "service.customer_linked"
PENDING_EXPIRED = "service.pending_expired"
LINK_CUT = "service.link_cut"
LINK_RESTORED = "service.link_restored"
IDENTITY_ERASED = "service.identity_erased"
USER_DELETED = "user.deleted"
RECORD_READ = "service.record_read"

OWN_TYPES = frozenset(
    {
        REQUEST_CLASSIFIED,
        REQUEST_COST_REPORTED,
        AUTH_SIGNUP,
        AUTH_SIGNIN,
        ACCOUNT_JUDGED,
        ENFORCEMENT_CHANGED,
        LIST_CHANGED,
        RULE_GUARDED,
        RULE_RELEASED,
        POLICY_ACTIVATED,
        CUSTOMER_LINKED,
        PENDING_EXPIRED,
        LINK_CUT,
        LINK_RESTORED,
        IDENTITY_ERASED,
        RECORD_READ,
    }
)
"""Types of events that the service itself makes. A sender who uses one in a batch means something else."""

ERASING_TYPES = frozenset({USER_DELETED, IDENTITY_ERASED})
"""Types of events upon which an identity is erased."""

FUTURE_TOLERANCE_MS = 5 * 60_000
"""A time in the future counts as receipt plus at most this."""

OWN_SOURCE = "service"
"""The source of events that the service itself makes."""


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What an address, an e-mail and a user agent said at the time, by offline data (decision 0011).

    Nothing in here tells one person from another: a place is a country and a tenth of a degree, about 10 km.
    New fields stand at the end with a default, so that what was recorded before them still reads.
    """

    is_hosting: bool = False
    """The address belongs to a hosting provider."""
    is_disposable_email: bool = False
    """The mail domain hands out mailboxes to throw away."""
    is_library_agent: bool = False
    """The agent is the default of a programming library or a command-line tool."""
    mailbox_digits: int = 0
    """Digits in the mailbox's name, a tag left out."""
    version: str = ""
    """Which data said all this: our reading, the packages, a digest of the operator's files."""
    is_free_email: bool = False
    """Anybody gets a mailbox at this domain for nothing."""
    mailbox_is_tagged: bool = False
    """The address is a tagged one of its mailbox (``ada+shop@…``)."""
    mailbox_dots: int = 0
    """Dots in the address that its provider ignores."""
    is_lookalike_email: bool = False
    """The address can be misread as a well-known provider's, or mixes scripts within a word."""
    network_kind: str = ""
    """``anonymizer``, ``hosting``, ``mobile`` or ``private``, the one that says most; empty for none of them."""
    country: str = ""
    """Where the address is, ISO 3166-1 alpha-2, empty when unknown."""
    latitude: float | None = None
    """Degrees north, to a tenth."""
    longitude: float | None = None
    """Degrees east, to a tenth."""
    is_crawler: bool = False
    """The agent is a known crawler, monitor, scanner or steered browser."""
    agent_family: str = ""
    """The browser's or tool's name, empty when it is not a known one."""


class Event(msgspec.Struct, frozen=True, array_like=True):
    """One fact. Kept in the log as a MessagePack array of these fields, in this order.

    ``event_key`` is empty where every receipt counts; ``content_key`` tells equal content (`EventKeys`). ``entities``
    are those that the event names beside its identity, ``joins`` the Stripe ids that it carries, as keys.
    ``body`` is the JSON that came, repaired, tokens in place of its prompts.
    ``outcome`` is the decision, for events that hold one.
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
    joins: tuple[EntityKey, ...] = ()
    facts: Facts | None = None
    outcome: bytes | None = None
    request_id: int | None = None

    @property
    def tie_breaker(self) -> bytes:
        """What orders two events of one instant and type, whatever order they arrived in."""
        return self.event_key or self.content_key or _digest(self.body)


class Stored(msgspec.Struct, frozen=True):
    """An event and its position in the log, from 1."""

    position: int
    event: Event


def _digest(content: bytes) -> bytes:
    # Of events of ours alone, which name nobody: intake gives every other a key.
    return hashlib.blake2b(content, digest_size=8).digest()
