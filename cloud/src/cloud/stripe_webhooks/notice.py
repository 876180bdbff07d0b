"""Reading a webhook event: the ids it names and the values we need, whatever shape Stripe's version gave them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One verified webhook event, with the JSON as it came."""

    id: str
    type: str
    created_at: datetime
    event: Json

    @property
    def subject(self) -> Json:
        """The Stripe object that the event is about."""
        return as_object(as_object(self.event.get("data")).get("object"))

    @property
    def previous(self) -> Json:
        """What the object's changed fields held before."""
        return as_object(as_object(self.event.get("data")).get("previous_attributes"))

    @property
    def metadata(self) -> dict[str, str]:
        return {key: str(value) for key, value in as_object(self.subject.get("metadata")).items()}

    @property
    def invoiced_subscription(self) -> Json:
        """What an invoice says of its subscription: the id, and the metadata that we gave it."""
        return as_object(as_object(self.subject.get("parent")).get("subscription_details"))

    @property
    def purpose(self) -> str | None:
        """What the money is for, as we said when we asked for it."""
        metadata = self.metadata or as_object(self.invoiced_subscription.get("metadata"))
        return metadata.get("purpose")

    @property
    def tier(self) -> str | None:
        """The tier of the pass that a subscription or its invoice is about."""
        invoiced = as_object(self.invoiced_subscription.get("metadata")).get("tier")
        named = self.metadata.get("tier") or invoiced
        found = named or price_key(self.subject, "items") or price_key(self.subject, "lines")
        return found if isinstance(found, str) else None

    def looked_up_ids(self) -> list[str]:
        """Return the ids whose customer Stripe can tell, where the event names none."""
        named = map(id_of, (self.subject.get("charge"), self.subject.get("payment_intent")))
        return [found for found in named if found is not None]

    def named_ids(self) -> list[str]:
        """Return every id that can tell the owner, the surest first."""
        subject = self.subject
        named = (
            subject.get("customer"),
            self.previous.get("customer"),
            subject.get("payment_intent"),
            subject.get("charge"),
            subject.get("latest_charge"),
            subject.get("payment_method"),
            subject.get("invoice"),
            subject.get("subscription"),
            self.invoiced_subscription.get("subscription"),
            subject.get("id"),
        )
        return [found for found in map(id_of, named) if found is not None]


def read_notice(event: Json) -> Notice:
    """Read what every webhook event has."""
    return Notice(
        id=str(event["id"]),
        type=str(event["type"]),
        created_at=datetime.fromtimestamp(int(event["created"]), UTC),
        event=event,
    )


def as_object(value: object) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}


def id_of(value: object) -> str | None:
    """Return the id of what Stripe gives as an id or, expanded, as an object."""
    found = as_object(value).get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) and found else None


def price_key(subject: Json, list_name: str) -> str | None:
    """Return the look-up key of the first item's price, which names the tier of a pass."""
    items = as_object(subject.get(list_name)).get("data")
    first = as_object(items[0]) if isinstance(items, list) and items else {}
    key = as_object(first.get("price")).get("lookup_key")
    return key if isinstance(key, str) else None
