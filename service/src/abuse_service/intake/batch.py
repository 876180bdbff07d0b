"""``POST /api/events``: a batch of business events."""

import msgspec

from abuse_client.contract import (
    MAX_BATCH_EVENTS,
    ContractError,
    InvalidField,
    OrgEventData,
    UnknownEvent,
    UserEmailChangedData,
    Wire,
    known_user,
    repair,
)
from abuse_service.enrichment.enricher import Enricher
from abuse_service.errors import TooLarge
from abuse_service.events.content import Content
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer
from abuse_service.events.event import OWN_TYPES, Event, Facts
from abuse_service.events.log import Rejected
from abuse_service.events.stripe import is_webhook_id, read_slice
from abuse_service.intake.entities import LONGEST_VALUE, facts_of, is_marker, name_mail, name_organization, name_user
from abuse_service.intake.envelope import TYPE_NAMES, BatchEvent, StripeEvent, read_events, split
from abuse_service.intake.receipt import Receipt

_encode = msgspec.json.Encoder().encode


class Batch(msgspec.Struct):
    """A batch as it was read: events with their contents and places, and what could not be taken."""

    events: list[Event]
    contents: list[Content | None]
    indexes: list[int]
    rejected: list[Rejected]
    unknown_types: set[str]
    malformed: list[str]


class BatchIntake:
    """Reads batches. Names identities and entities by ``namer``, addresses and mail by ``enricher``."""

    def __init__(self, namer: EntityNamer, enricher: Enricher) -> None:
        self._namer = namer
        self._enricher = enricher

    def read(self, body: bytes, receipt: Receipt) -> Batch:
        """The events in ``body``.

        One that breaks the contract is rejected with its path, the others count. Raises `MalformedJson` or
        `InvalidField` when there is no list of events, `TooLarge` above `MAX_BATCH_EVENTS`.
        """
        body = repair(body)
        raws = split(body)
        if len(raws) > MAX_BATCH_EVENTS:
            raise TooLarge(f"a batch takes {MAX_BATCH_EVENTS} events at most, found {len(raws)}", path="events")
        batch = Batch([], [], [], [], set(), [])
        for index, (event, raw) in enumerate(zip(read_events(body, raws, batch.malformed), raws, strict=True)):
            try:
                if isinstance(event, ContractError):
                    raise event
                stamped, content = self._stamp(event, raw, receipt)
            except ContractError as error:
                batch.rejected.append(_reject(index, raw, receipt, error))
                continue
            batch.events.append(stamped)
            batch.contents.append(content)
            batch.indexes.append(index)
            if isinstance(event, UnknownEvent):
                batch.unknown_types.add(event.type)
        return batch

    def _stamp(self, event: BatchEvent, raw: bytes, receipt: Receipt) -> tuple[Event, Content | None]:
        if isinstance(event, StripeEvent):
            return self._stamp_stripe(event, raw, receipt)
        if isinstance(event, UnknownEvent):
            return self._stamp_unknown(event, raw, receipt), None
        name = TYPE_NAMES[type(event)]
        data = event.data  # type: ignore[attr-defined]  # each of the classes has its own
        identity = name_user(data.kilo_user_id)
        if identity is None:
            raise InvalidField("data.kilo_user_id", "required, found blanks only")
        key, content_key = self._identify(event, name, raw, receipt)
        stamped = Event(
            name,
            receipt.source,
            receipt.occurred_at_ms(event.occurred_at),
            receipt.received_at_ms,
            raw,
            key,
            content_key,
            identity,
            self._namer.identity(identity),
            *self._enrich(data),
        )
        return stamped, data

    def _enrich(self, data: Wire) -> tuple[tuple[EntityKey, ...], tuple[EntityKey, ...], Facts | None]:
        """The entities, joins and facts of an event that names its user."""
        if isinstance(data, OrgEventData):
            return tuple(name_organization(self._namer, data.organization_id)), (), None
        if isinstance(data, UserEmailChangedData):
            enriched = self._enricher.enrich(None, data.email, None)
            return tuple(name_mail(self._namer, enriched)), (), facts_of(enriched)
        return (), (), None

    def _stamp_stripe(self, event: StripeEvent, raw: bytes, receipt: Receipt) -> tuple[Event, Content]:
        name = TYPE_NAMES[type(event)]
        data = event.data
        content, keys = read_slice(data), self._namer.event_keys
        if content.webhook_id and not event.event_id:
            key = keys.of_id(receipt.source, name, f"stripe:{content.webhook_id}")
            content_key = keys.digest(raw if content.subject is data else _encode(content.subject))
        else:
            key, content_key = self._identify(event, name, raw, receipt)
        identity = _owner(data.kilo_user_id)
        organization = data.organization_id if isinstance(data.organization_id, str) else None
        entities = name_organization(self._namer, organization)
        if content.card and not is_marker(content.card):
            entities.append(self._namer.key(EntityKind.CARD, content.card))
        if content.customer and not organization and not is_marker(content.customer):
            # An organization's customer is shared by its members, as the organization is.
            entities.append(self._namer.key(EntityKind.CUSTOMER, content.customer))
        stamped = Event(
            name,
            receipt.source,
            receipt.occurred_at_ms(event.occurred_at),
            receipt.received_at_ms,
            raw,
            key,
            content_key,
            identity,
            self._namer.identity(identity) if identity else None,
            tuple(entities),
            self._namer.joins(content.joins),
        )
        return stamped, content

    def _stamp_unknown(self, event: UnknownEvent, raw: bytes, receipt: Receipt) -> Event:
        identity = _owner(event.data.get("kilo_user_id")) if isinstance(event.data, dict) else None
        # Own types are ours alone; what a sender calls so neither is one nor shares its ids.
        name = f"foreign.{event.type}" if event.type in OWN_TYPES else event.type
        key, content_key = self._identify(event, name, raw, receipt)
        webhook_id = event.data.get("id") if isinstance(event.data, dict) else None
        if not event.event_id and name.startswith("stripe.") and is_webhook_id(webhook_id):
            key = self._namer.event_keys.of_id(receipt.source, name, f"stripe:{webhook_id}")
        return Event(
            type=name,
            source=receipt.source,
            occurred_at_ms=receipt.occurred_at_ms(event.occurred_at),
            received_at_ms=receipt.received_at_ms,
            body=raw,
            event_key=key,
            content_key=content_key,
            identity=identity,
            identity_entity=self._namer.identity(identity) if identity else None,
        )

    def _identify(self, event: BatchEvent, name: str, raw: bytes, receipt: Receipt) -> tuple[bytes, bytes]:
        """The event's key, empty where every receipt counts, and its content's (decision 3)."""
        keys = self._namer.event_keys
        if event.event_id:
            return keys.of_id(receipt.source, name, f"sender:{event.event_id}"), keys.digest(raw)
        if event.occurred_at is not None:
            return keys.of_content(receipt.source, name, event.occurred_at, raw), b""
        return b"", keys.digest(raw)


def _owner(kilo_user_id: object) -> str | None:
    """The identity that an optional user id names; none for what is no id, or too long for one."""
    if not isinstance(kilo_user_id, str) or len(kilo_user_id) > LONGEST_VALUE:
        return None
    user = known_user(kilo_user_id)
    return f"user:{user}" if user else None


def _reject(index: int, raw: bytes, receipt: Receipt, error: ContractError) -> Rejected:
    return Rejected(
        received_at_ms=receipt.received_at_ms,
        source=receipt.source,
        index=index,
        path=error.path,
        message=error.message,
        body=raw,
    )
