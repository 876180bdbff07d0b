"""``POST /api/auth-event``: a sign-up or a sign-in."""

import msgspec

from abuse_client.contract import (
    AuthEventPayload,
    AuthEventType,
    InvalidField,
    MalformedJson,
    Reader,
    nests_too_deep,
    repair,
)
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.places import read_place
from abuse_service.events.entity import EntityKind, EntityNamer, StripeKind
from abuse_service.events.event import AUTH_SIGNIN, AUTH_SIGNUP, Event
from abuse_service.intake.entities import (
    LONGEST_VALUE,
    facts_of,
    name_client,
    name_device,
    name_fingerprint,
    name_mail,
    name_network,
    name_organization,
    name_user,
)
from abuse_service.intake.receipt import Receipt

_TYPES = {AuthEventType.SIGNUP: AUTH_SIGNUP, AuthEventType.SIGNIN: AUTH_SIGNIN}


class AuthReading(msgspec.Struct, frozen=True):
    """An auth event as it was read; ``malformed`` are the optional fields that read as absent."""

    event: Event
    payload: AuthEventPayload
    malformed: tuple[str, ...]


class AuthIntake:
    """Reads auth events."""

    def __init__(self, namer: EntityNamer, enricher: Enricher) -> None:
        self._namer = namer
        self._enricher = enricher
        self._reader = Reader(AuthEventPayload)

    def read(self, body: bytes, receipt: Receipt) -> AuthReading:
        """The event in ``body``. Raises `MalformedJson` or `InvalidField`."""
        body = repair(body)
        if nests_too_deep(body):
            raise MalformedJson("", "nested too deep")
        reading = self._reader.read(body)
        payload = reading.value
        identity = name_user(payload.kilo_user_id)
        if identity is None:
            raise InvalidField("kilo_user_id", "required, found blanks only")
        name = _TYPES[payload.event_type]
        keys, key = self._namer.event_keys, b""
        if payload.event_id:
            key = keys.of_id(receipt.source, name, f"sender:{payload.event_id}")
        elif payload.occurred_at is not None:
            key = keys.of_content(receipt.source, name, payload.occurred_at, body)
        claimed = read_place(payload.geo_country, None, None)
        enriched = self._enricher.enrich(payload.ip_address, payload.email, payload.user_agent, claimed)
        entities = name_network(self._namer, enriched, payload.ja4_digest) + name_mail(self._namer, enriched)
        entities += name_client(self._namer, enriched, payload.ja4_digest, payload.user_agent)
        entities += name_fingerprint(self._namer, payload.ip_address, payload.ja4_digest, payload.user_agent)
        entities += name_device(self._namer, payload.stytch_hardware_fingerprint)
        for membership in payload.org_memberships or ():
            entities += name_organization(self._namer, membership.organization_id)
        customer = (payload.stripe_customer_id or "")[:LONGEST_VALUE]
        if customer:
            entities.append(self._namer.key(EntityKind.CUSTOMER, customer))
        event = Event(
            type=name,
            source=receipt.source,
            occurred_at_ms=receipt.occurred_at_ms(payload.occurred_at),
            received_at_ms=receipt.received_at_ms,
            body=body,
            event_key=key,
            content_key=keys.digest(body),
            identity=identity,
            identity_entity=self._namer.identity(identity),
            entities=tuple(dict.fromkeys(entities)),
            joins=(self._namer.key(StripeKind.CUSTOMER, customer),) if customer else (),
            facts=facts_of(enriched),
        )
        return AuthReading(event, payload, reading.malformed)
