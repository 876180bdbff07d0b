"""``POST /api/usage/cost``: what one request cost."""

from collections.abc import Callable

import msgspec

from abuse_client.contract import CostPayload, MalformedJson, Reader, identity_key, known_user, nests_too_deep, repair
from abuse_service.events.entity import EntityNamer
from abuse_service.events.event import REQUEST_COST_REPORTED, Event
from abuse_service.events.scrub import entity_of_erased
from abuse_service.intake.receipt import Receipt


class CostReading(msgspec.Struct, frozen=True):
    """A cost report as it was read."""

    event: Event
    payload: CostPayload
    malformed: tuple[str, ...]


class CostIntake:
    """Reads cost reports."""

    def __init__(self, namer: EntityNamer) -> None:
        self._namer = namer
        self._reader = Reader(CostPayload)

    def read(self, body: bytes, receipt: Receipt, classified_as: Callable[[int], str | None]) -> CostReading:
        """The report in ``body``.

        It counts for whom the classification named; where that is not found, for whom the report itself names. The
        same ``request_id`` and ``message_id`` are one report. Raises `MalformedJson` or `InvalidField`.
        """
        body = repair(body)
        if nests_too_deep(body):
            raise MalformedJson("", "nested too deep")
        reading = self._reader.read(body)
        payload = reading.value
        identity = identity_key(payload.kilo_user_id, payload.ip_address, payload.ja4_digest, payload.user_agent)
        entity = None
        if known_user(payload.kilo_user_id) is None:
            # Without a user the report's own network facts may be missing; the classification knows better.
            identity = classified_as(payload.request_id) or identity
            entity = entity_of_erased(identity)
        report_id = f"report:{payload.request_id}:{payload.message_id}"
        event = Event(
            type=REQUEST_COST_REPORTED,
            source=receipt.source,
            occurred_at_ms=receipt.occurred_at_ms(payload.occurred_at),
            received_at_ms=receipt.received_at_ms,
            body=body,
            event_key=self._namer.event_keys.of_id(receipt.source, REQUEST_COST_REPORTED, report_id),
            content_key=self._namer.event_keys.digest(str(payload.cost).encode()),
            identity=identity,
            identity_entity=entity or self._namer.identity(identity),
        )
        return CostReading(event, payload, reading.malformed)
