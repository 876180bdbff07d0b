"""Stripe's webhook events, each sent as ``stripe.<type>`` and looked for in the service afterwards.

Which events are one person's is read from the ids that they carry. Of each person one event names its owner, as a cloud
does where it knows; the others name nobody, come first, and must be joined by their ids alone.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from abuse_client.contract import EVENT_CLASSES
from abuse_lab.desk import ServiceDesk

Json = dict[str, Any]
_NAMING = (
    "customer",
    "charge",
    "latest_charge",
    "payment_intent",
    "payment_method",
    "source",
    "invoice",
    "subscription",
)
_OWNED = frozenset({"customer", "charge", "payment_intent", "payment_method"})


@dataclass(kw_only=True)
class Webhook:
    """One event as it was read, whose it is made up to be, and what came of it."""

    place: str
    event: Json
    user: str
    names_owner: bool
    answer: Json = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def type(self) -> str:
        """The type under which it is sent."""
        return f"stripe.{self.event['type']}"

    @property
    def counted_as(self) -> str:
        """The name under which a record counts it: types that the service does not know are counted together."""
        return self.type if self.type in EVENT_CLASSES else "unknown"

    @property
    def is_known_already(self) -> bool:
        """Whether the service had it before."""
        return self.answer.get("duplicates") == 1

    def sent(self) -> Json:
        """The event as it crosses the wire."""
        named = {"kilo_user_id": self.user} if self.names_owner else {}
        return {"type": self.type, "occurred_at": self.event["created"] * 1000, "data": self.event | named}


def read_webhooks(path: Path) -> list[Webhook]:
    """The whole events in a file, or in every JSON file of a folder; whatever else lies there is passed over."""
    paths = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    read = [(str(one.relative_to(path)) if path.is_dir() else one.name, json.loads(one.read_bytes())) for one in paths]
    found = [(place, event) for place, event in read if is_event(event)]
    owners = owners_of([event for _, event in found])
    last_of = {owner: index for index, owner in enumerate(owners)}
    mark = secrets.token_hex(6)
    return [
        Webhook(place=place, event=event, user=f"payer-{mark}-{owner}", names_owner=last_of[owner] == index)
        for index, ((place, event), owner) in enumerate(zip(found, owners, strict=True))
    ]


def is_event(content: Any) -> bool:
    """Whether this is a whole webhook event."""
    return isinstance(content, dict) and content.get("object") == "event" and isinstance(content.get("type"), str)


def owners_of(events: Sequence[Json]) -> list[int]:
    """A number for each event: the same for those that share an id, at whatever remove."""
    owners = list(range(len(events)))
    first_with: dict[str, int] = {}
    for index, event in enumerate(events):
        for name in ids_of(event):
            first = first_with.setdefault(name, index)
            old, new = owners[index], owners[first]
            owners = [new if owner == old else owner for owner in owners]
    return owners


def ids_of(event: Json) -> set[str]:
    """The ids in an event that tell whose it is."""
    content = event.get("data", {})
    subject = content.get("object", {})
    values = [holder.get(name) for holder in (subject, content.get("previous_attributes") or {}) for name in _NAMING]
    values += [subject.get("id")] if subject.get("object") in _OWNED else []
    found = (value.get("id") if isinstance(value, dict) else value for value in values)
    return {value for value in found if isinstance(value, str) and value}


def play_webhooks(desk: ServiceDesk, webhooks: Sequence[Webhook]) -> Iterator[Webhook]:
    """Send each, the ones that name their owner last, and yield it; then look for all of them in the service."""
    before = desk.position()
    for webhook in sorted(webhooks, key=lambda webhook: webhook.names_owner):
        _send(desk, webhook)
        yield webhook
    _find_in_log(desk, before, webhooks)
    for user in {webhook.user: None for webhook in webhooks}:
        _find_joined(desk, user, [webhook for webhook in webhooks if webhook.user == user])


def _send(desk: ServiceDesk, webhook: Webhook) -> None:
    try:
        webhook.answer = desk.post("/api/events", {"events": [webhook.sent()]})
    except httpx.HTTPError as error:
        webhook.faults.append(f"refused: {error}")
        return
    if webhook.answer.get("accepted", 0) + webhook.answer.get("duplicates", 0) != 1:
        webhook.faults.append(f"not accepted: {webhook.answer}")


def _find_in_log(desk: ServiceDesk, before: int, webhooks: Sequence[Webhook]) -> None:
    kept = [event.body for event in desk.events(before)]
    for webhook in webhooks:
        if not webhook.is_known_already and webhook.sent() not in kept:
            webhook.faults.append("not in the log as it was sent")


def _find_joined(desk: ServiceDesk, user: str, webhooks: Sequence[Webhook]) -> None:
    """Each event of a person must count for the made-up owner that one of them names."""
    if any(webhook.is_known_already for webhook in webhooks):
        return  # somebody else's since an earlier play
    try:
        counts = dict(desk.identity(f"user:{user}").record.event_counts)
    except httpx.HTTPError as error:
        counts = {}
        webhooks[-1].faults.append(f"its owner has no record: {error}")
    for webhook in webhooks:
        counts[webhook.counted_as] = counts.get(webhook.counted_as, 0) - 1
        if counts[webhook.counted_as] < 0:
            webhook.faults.append("not joined to its owner")
