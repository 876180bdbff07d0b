"""The record of one identity: all that the cloud ever said of it, joined and merged.

Lists and maps that could grow without end are bounded, and the same entries stay in every order of arrival; totals
count everything. Each field and where it comes from: docs/reference/record.md.
"""

from typing import Any

import msgspec

from abuse_service.events.entity import EntityKey
from abuse_service.identities.merge import Layer
from abuse_service.identities.networks import Networks
from abuse_service.identities.stamp import Stamp

MOST_HISTORY = 20
"""Entries that a history in the record keeps."""
MOST_CHECKS = 10
"""Distinct outcomes of the device check: each holds a fingerprint and a session's id."""
MOST_MOVES = 8
"""Times that a user joined or left one organization."""


class Block(msgspec.Struct, array_like=True):
    """One block or unblock by the cloud."""

    stamp: Stamp
    is_blocked: bool
    reason: str | None
    actor_email: str | None


class Check(msgspec.Struct, array_like=True, frozen=True):
    """What the checks of device and card had said when a user signed in. ``None``: not checked."""

    verdict: str | None = None
    is_authentic_device: bool | None = None
    device_type: str | None = None
    hardware_fingerprint: str | None = None
    session_id: str | None = None
    has_passed: bool | None = None
    has_held_card: bool | None = None


class Membership(msgspec.Struct, array_like=True):
    """What ``org.*`` events said of one organization, and apart from it what sign-in snapshots said.

    ``organization`` is where the organization's own end is found. ``moves`` are the times when the user joined (true)
    or left (false), as events said.
    """

    organization: EntityKey
    moves: list[tuple[Stamp, bool]] = []
    owned: list[Layer] = []
    snapshot: list[Layer] = []
    first_said_ms: int | None = None


class Purchase(msgspec.Struct, array_like=True, frozen=True):
    """Credits acquired at once; ``is_free`` is ``None`` where nobody said whether they were paid for."""

    microdollars: int
    is_free: bool | None = None
    organization_id: str | None = None


class Credits(msgspec.Struct, array_like=True):
    """Credits acquired, microdollars; grants apart from what is not called free.

    Today's cloud does not say which is which, so what was *said* to be paid is counted by itself.
    """

    purchases: int = 0
    paid_microdollars: int = 0
    grants: int = 0
    free_microdollars: int = 0
    first_paid_at_ms: int | None = None
    reported_total: list[Layer] = []
    said_paid_microdollars: int = 0
    history: list[tuple[Stamp, Purchase]] = []


class Card(msgspec.Struct, array_like=True):
    """One card, known by its fingerprint: what was said of it, and when first and last."""

    first_seen_ms: int
    last_seen_ms: int
    said: list[Layer] = []


class Charge(msgspec.Struct, array_like=True, frozen=True):
    """One attempt to charge, as one event told it. The amount is in minor units of the currency."""

    is_paid: bool
    amount: int | None = None
    currency: str | None = None
    decline_code: str | None = None
    charge: str | None = None
    payment_intent: str | None = None
    card: str | None = None


class Stripe(msgspec.Struct, array_like=True):
    """What Stripe said. Amounts are minor units, by currency.

    ``pairs`` are ids that name one payment, learned from whatever named both (see `cases`).
    """

    customers: list[str] = []
    methods: dict[str, list[Layer]] = {}
    failures: dict[str, int] = {}
    disputes: dict[str, list[Layer]] = {}
    warnings: dict[str, list[Layer]] = {}
    payments: int = 0
    paid_amounts: dict[str, int] = {}
    cards: dict[str, Card] = {}
    charges: list[tuple[Stamp, Charge]] = []
    pairs: list[bytes] = []


class Spend(msgspec.Struct, array_like=True):
    """What the identity's requests cost: for life, and by the newest hours and days that had any cost.

    ``hours`` and ``days`` are rows of `spend_rows`.
    """

    requests: int = 0
    reports: int = 0
    cost_microdollars: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    hours: bytearray = bytearray()
    days: bytearray = bytearray()


class Record(msgspec.Struct, array_like=True):
    """The whole record, as it is kept."""

    profile: list[Layer] = []
    signup: dict[str, list[tuple[Stamp, Any]]] = {}
    emails: list[tuple[Stamp, str]] = []  # each address once, when it was said last
    blocks: list[Block] = []
    memberships: dict[str, Membership] = {}
    credits: Credits = msgspec.field(default_factory=Credits)
    pass_layers: list[Layer] = []
    pass_history: list[tuple[Stamp, dict[str, Any]]] = []
    stripe: Stripe = msgspec.field(default_factory=Stripe)
    spend: Spend = msgspec.field(default_factory=Spend)
    deleted: Stamp | None = None
    event_counts: dict[str, int] = {}
    networks: Networks = msgspec.field(default_factory=Networks)
    checks: list[tuple[Stamp, Check]] = []  # each outcome once, when it was said last
