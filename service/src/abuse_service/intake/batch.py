"""``POST /api/events``: a batch of business events."""

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    MAX_BATCH_EVENTS,
    AnyEvent,
    ContractError,
    InvalidField,
    KnownEvent,
    OrgEventData,
    StripeEventData,
    UnknownEvent,
    UserEmailChangedData,
    Wire,
    event_type,
    known_user,
    nests_too_deep,
    parse_object,
    read_object,
    repair,
)
from abuse_service.enrichment.enricher import Enricher
from abuse_service.errors import TooLarge
from abuse_service.events.content import Content
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer
from abuse_service.events.event import Event, content_event_key, digest, event_key
from abuse_service.events.log import Rejected
from abuse_service.events.stripe import read_stripe
from abuse_service.intake.entities import name_mail, name_organization
from abuse_service.intake.receipt import Receipt

_encode = msgspec.json.Encoder().encode
_NAMES: dict[type, str] = {kind: name for name, kind in EVENT_CLASSES.items()}


class _RawEnvelope(msgspec.Struct):
    events: list[msgspec.Raw]


class _TypedEnvelope(msgspec.Struct):
    events: list[KnownEvent]


_raw_envelope = msgspec.json.Decoder(_RawEnvelope)
_typed_envelope = msgspec.json.Decoder(_TypedEnvelope)


class Batch(msgspec.Struct):
    """A batch as it was read: events with their contents, and what could not be taken."""

    events: list[Event]
    contents: list[Content | None]
    indexes: list[int]
    rejected: list[Rejected]
    unknown_types: set[str]


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
        raws, typed = _split(repair(body))
        if len(raws) > MAX_BATCH_EVENTS:
            raise TooLarge(f"a batch takes {MAX_BATCH_EVENTS} events at most, found {len(raws)}", path="events")
        batch = Batch([], [], [], [], set())
        for index, raw in enumerate(raws):
            try:
                if nests_too_deep(raw):
                    raise InvalidField("", "nested too deep")
                event = typed[index] if typed is not None else _read_event(raw)
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

    def _stamp(self, event: AnyEvent, raw: bytes, receipt: Receipt) -> tuple[Event, Content | None]:
        if isinstance(event, UnknownEvent):
            return self._stamp_unknown(event, raw, receipt), None
        name = _NAMES[type(event)]
        data = event.data
        if isinstance(data, StripeEventData):
            return self._stamp_stripe(event, name, data, raw, receipt)
        identity = f"user:{_require_user(data.kilo_user_id)}"
        key, content = _identify(event, name, raw, receipt)
        stamped = Event(
            name,
            receipt.source,
            receipt.occurred_at_ms(event.occurred_at),
            receipt.received_at_ms,
            raw,
            key,
            content,
            identity,
            self._namer.identity(identity),
            self._entities(data),
        )
        return stamped, data

    def _entities(self, data: Wire) -> tuple[EntityKey, ...]:
        if isinstance(data, OrgEventData):
            return tuple(name_organization(self._namer, data.organization_id))
        if isinstance(data, UserEmailChangedData):
            return tuple(name_mail(self._namer, self._enricher.enrich(None, data.email, None)))
        return ()

    def _stamp_stripe(
        self, event: KnownEvent, name: str, data: StripeEventData, raw: bytes, receipt: Receipt
    ) -> tuple[Event, Content]:
        content = read_stripe(raw)
        if content.webhook_id and not event.event_id:
            key = event_key(receipt.source, name, f"stripe:{content.webhook_id}")
            whole = (data.data or {}).get("object")
            content_key = digest(_encode(whole) if whole is not None else raw)
        else:
            key, content_key = _identify(event, name, raw, receipt)
        user = known_user(data.kilo_user_id)
        identity = f"user:{user}" if user else None
        entities = name_organization(self._namer, data.organization_id)
        if content.card:
            entities.append(self._namer.key(EntityKind.CARD, content.card))
        if content.customer:
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
            content.joins,
        )
        return stamped, content

    def _stamp_unknown(self, event: UnknownEvent, raw: bytes, receipt: Receipt) -> Event:
        named = event.data.get("kilo_user_id") if isinstance(event.data, dict) else None
        user = known_user(named) if isinstance(named, str) and len(named) <= 1024 else None
        key, content = _identify(event, event.type, raw, receipt)
        return Event(
            type=event.type,
            source=receipt.source,
            occurred_at_ms=receipt.occurred_at_ms(event.occurred_at),
            received_at_ms=receipt.received_at_ms,
            body=raw,
            event_key=key,
            content_key=content,
            identity=f"user:{user}" if user else None,
            identity_entity=self._namer.identity(f"user:{user}") if user else None,
        )


def _split(body: bytes) -> tuple[list[bytes], list[KnownEvent] | None]:
    """Each event's own bytes, and all of them typed where the whole batch is well-formed."""
    try:
        raws = [bytes(raw) for raw in _raw_envelope.decode(body).events]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        events = parse_object(body).get("events")
        if not isinstance(events, list):
            raise InvalidField("events", "required, a list of events") from None
        return [_encode(event) for event in events], None
    try:
        return raws, _typed_envelope.decode(body).events
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return raws, None


def _read_event(raw: bytes) -> AnyEvent:
    fields = parse_object(raw)
    kind = EVENT_CLASSES.get(event_type(fields), UnknownEvent)
    return read_object(kind, fields).value  # type: ignore[return-value]


def _require_user(kilo_user_id: str) -> str:
    user = kilo_user_id.strip()
    if not user:
        raise InvalidField("data.kilo_user_id", "required, found blanks only")
    return user


def _identify(event: AnyEvent, name: str, raw: bytes, receipt: Receipt) -> tuple[bytes, bytes]:
    """The event's key and content key; both empty where every receipt counts (decision 3)."""
    if event.event_id:
        return event_key(receipt.source, name, f"sender:{event.event_id}"), digest(raw)
    if event.occurred_at is not None:
        return content_event_key(receipt.source, name, event.occurred_at, raw), b""
    return b"", b""


def _reject(index: int, raw: bytes, receipt: Receipt, error: ContractError) -> Rejected:
    return Rejected(
        received_at_ms=receipt.received_at_ms,
        source=receipt.source,
        index=index,
        path=error.path,
        message=error.message,
        body=raw,
    )
