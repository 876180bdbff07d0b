"""Reports held against the contract, in the background or (strict) at the call, and given their ids."""

from typing import Any

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventPayload,
    ClassifyPayload,
    CostPayload,
    InvalidField,
    Reader,
    Reading,
    UnknownEvent,
    encode_fields,
    parse_object,
)
from abuse_client.drafts import AUTH_PATH, COST_PATH
from abuse_client.event_ids import EventIds
from abuse_client.reports import Report

_readers: dict[str, Reader[Any]] = {
    AUTH_PATH: Reader(AuthEventPayload),
    COST_PATH: Reader(CostPayload),
    **{name: Reader(kind) for name, kind in EVENT_CLASSES.items()},
}
_unknown_reader: Reader[Any] = Reader(UnknownEvent)
_classify_reader = Reader(ClassifyPayload)


def insist(report: Report) -> None:
    """Raise `ContractError` for the first field that is wrong, be it optional."""
    _insist(_read(report))


def insist_on_question(body: bytes) -> None:
    """Raise `ContractError` for the first field of a question that is wrong."""
    _insist(_classify_reader.read(body))


def identified(report: Report, ids: EventIds) -> bytes:
    """The bytes that leave for a report, with an id by which a repeat counts once. Raises `ContractError`.

    An id that the sender gave stays, and where Stripe's event has one the service derives its own from that.
    """
    value = _read(report).value
    if value.event_id is not None or _has_stripe_id(report, value):
        return report.body
    if b'"event_id"' not in report.body:
        return b'%b,"event_id":"%b"}' % (report.body[:-1], ids.next().encode())
    fields = parse_object(report.body)  # null, malformed, or somewhere inside
    return report.body if fields.get("event_id") is not None else encode_fields(fields | {"event_id": ids.next()})


def _read(report: Report) -> Reading[Any]:
    return _readers.get(report.kind, _unknown_reader).read(report.body)


def _insist(reading: "Reading[Any]") -> None:
    if reading.malformed:
        raise InvalidField(reading.malformed[0], "wrong type or format; the service would read it as absent")


def _has_stripe_id(report: Report, value: msgspec.Struct) -> bool:
    stripe_id = getattr(getattr(value, "data", None), "id", None)
    return report.kind.startswith("stripe.") and isinstance(stripe_id, str) and stripe_id.startswith("evt_")
