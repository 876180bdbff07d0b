"""``POST /api/classify``: an LLM request that waits for an answer."""

import msgspec

from abuse_client.contract import (
    ClassifyPayload,
    MalformedJson,
    Reader,
    identity_key,
    nests_too_deep,
    repair,
)
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.places import read_place
from abuse_service.errors import Forbidden
from abuse_service.events.entity import EntityKey, EntityNamer
from abuse_service.events.event import REQUEST_CLASSIFIED, Event, Facts
from abuse_service.events.tokens import prompt_bytes
from abuse_service.intake.entities import facts_of, name_fingerprint, name_network, name_organization, name_template
from abuse_service.intake.prompts import without_prompts
from abuse_service.intake.receipt import Receipt

OLDEST_CLAIM_MS = 10 * 60_000
"""A request that claims to be older needs a token with the scope ``import``."""


class Question(msgspec.Struct, frozen=True):
    """A request to decide on: who asks, with which entities, and the bytes to keep.

    Its payload and its bytes hold tokens in place of the prompts; ``prompt_bytes`` is how long those were.
    """

    payload: ClassifyPayload
    body: bytes
    receipt: Receipt
    occurred_at_ms: int
    identity: str
    identity_entity: EntityKey
    entities: tuple[EntityKey, ...]
    facts: Facts
    event_key: bytes
    content_key: bytes
    malformed: tuple[str, ...]
    prompt_bytes: int

    def answered(self, request_id: int, outcome: bytes | None) -> Event:
        """The event that records the request together with its decision."""
        return Event(
            type=REQUEST_CLASSIFIED,
            source=self.receipt.source,
            occurred_at_ms=self.occurred_at_ms,
            received_at_ms=self.receipt.received_at_ms,
            body=self.body,
            event_key=self.event_key,
            content_key=self.content_key,
            identity=self.identity,
            identity_entity=self.identity_entity,
            entities=self.entities,
            facts=self.facts,
            outcome=outcome,
            request_id=request_id,
        )


class ClassifyIntake:
    """Reads classify requests. Nothing optional can make one fail."""

    def __init__(self, namer: EntityNamer, enricher: Enricher) -> None:
        self._namer = namer
        self._enricher = enricher
        self._reader = Reader(ClassifyPayload)

    def read(self, body: bytes, receipt: Receipt, *, may_import: bool) -> Question:
        """The request in ``body``.

        Raises `MalformedJson` for what is no JSON object, `Forbidden` for a claim of an old time without the scope.
        """
        kept, malformed = self._keep(body)
        reading = self._reader.read(kept)
        payload = reading.value
        occurred_at_ms = receipt.occurred_at_ms(payload.occurred_at)
        if occurred_at_ms < receipt.received_at_ms - OLDEST_CLAIM_MS and not may_import:
            raise Forbidden("a request older than 10 minutes needs a token with the scope import", path="occurred_at")
        identity = identity_key(payload.kilo_user_id, payload.ip_address, payload.ja4_digest, payload.user_agent)
        claimed = read_place(payload.geo_country, payload.geo_latitude, payload.geo_longitude)
        enriched = self._enricher.enrich(payload.ip_address, None, payload.user_agent, claimed)
        entities = name_network(self._namer, enriched, payload.ja4_digest)
        entities += name_fingerprint(self._namer, payload.ip_address, payload.ja4_digest, payload.user_agent)
        entities += name_organization(self._namer, payload.organization_id)
        entities += name_template(self._namer, payload)
        keys, key = self._namer.event_keys, b""
        if payload.event_id:
            key = keys.of_id(receipt.source, REQUEST_CLASSIFIED, f"sender:{payload.event_id}")
        return Question(
            payload,
            kept,
            receipt,
            occurred_at_ms,
            identity,
            self._namer.identity(identity),
            tuple(entities),
            facts_of(enriched),
            key,
            keys.digest(kept),
            (*malformed, *reading.malformed),
            prompt_bytes(payload.user_prompt) + prompt_bytes(payload.system_prompt),
        )

    def _keep(self, body: bytes) -> tuple[bytes, tuple[str, ...]]:
        # Prompts go first, the rest is mended after: a prompt of 32 MiB is never decoded.
        try:
            kept, malformed = without_prompts(body, self._namer.tokens)
        except RecursionError:
            raise MalformedJson("", "nested too deep") from None
        kept = repair(kept)
        if nests_too_deep(kept):
            raise MalformedJson("", "nested too deep")
        return kept, malformed
