"""The record of one identity: all that the cloud ever said of it, joined and merged.

Lists that could grow without end are bounded, newest kept; totals count everything.
"""

from typing import Any

import msgspec

from abuse_service.identities.merge import Layer
from abuse_service.identities.stamp import Stamp

MOST_HISTORY = 20
"""Entries that a history in the record keeps."""


class Block(msgspec.Struct, array_like=True):
    """One block or unblock by the cloud."""

    stamp: Stamp
    is_blocked: bool
    reason: str | None
    actor_email: str | None


class Membership(msgspec.Struct, array_like=True):
    """What ``org.*`` events said last of one organization, and below it what sign-in snapshots said."""

    owned: list[Layer] = []
    snapshot: list[Layer] = []


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


class Stripe(msgspec.Struct, array_like=True):
    """What Stripe said. Amounts are minor units, by currency."""

    customers: list[str] = []
    methods: dict[str, list[Layer]] = {}
    failures: dict[str, int] = {}
    disputes: dict[str, list[Layer]] = {}
    warnings: dict[str, list[Layer]] = {}
    payments: int = 0
    paid_amounts: dict[str, int] = {}


class Spend(msgspec.Struct, array_like=True):
    """What the identity's requests cost, for life."""

    requests: int = 0
    reports: int = 0
    cost_microdollars: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


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
