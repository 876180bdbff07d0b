"""One account with Stripe: its objects, their ids, and the events that their changes cause."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import RLock
from time import time
from typing import Any
from uuid import uuid4

from cloud.local.stripe.cards import Card
from cloud.local.stripe.faults import missing
from cloud.local.stripe.webhooks import Webhooks

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
"""The version whose shapes the objects have."""


@dataclass(kw_only=True)
class Account:
    """Everything that is known at Stripe; whoever changes it holds the lock."""

    api_key: str
    webhooks: Webhooks
    base_url: str = ""
    clock: Callable[[], float] = time
    lock: RLock = field(default_factory=RLock)
    objects: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    """What a Checkout session was asked for, by its id."""
    cards: dict[str, Card] = field(default_factory=dict)
    """By payment method; the number never leaves this table."""

    @property
    def now(self) -> int:
        return int(self.clock())

    def add(self, made: Json) -> Json:
        self.objects[made["id"]] = made
        return made

    def find(self, kind: str, found_id: str) -> Json:
        """Return the object of that kind and id, or answer as Stripe does that there is none."""
        found = self.objects.get(str(found_id))
        if found is None or found["object"] != kind:
            raise missing(kind, found_id)
        return found

    def every(self, kind: str, **fields: object) -> Iterator[Json]:
        """Return the objects of that kind whose fields are so, the newest first."""
        for found in reversed(list(self.objects.values())):
            if found["object"] == kind and all(found.get(name) == value for name, value in fields.items()):
                yield found

    def tell(self, kind: str, subject: Json, previous: Json | None = None) -> None:
        """Make the event that something happened to the object, as it is now, and send it to the webhook."""
        self.webhooks.send(self.add(event_of(kind, subject, self.now, previous)))


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex[:24]}"


def event_of(kind: str, subject: Json, created: int, previous: Json | None = None) -> Json:
    content = {"object": snapshot(subject)} | ({"previous_attributes": previous} if previous is not None else {})
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": content,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": new_id("req"), "idempotency_key": None},
        "type": kind,
    }


def snapshot(value: Any) -> Any:
    """Return a copy that later changes leave alone."""
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    return [snapshot(item) for item in value] if isinstance(value, list) else value
