"""What a caller hands over, checked against the contract and made into the bytes that leave."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from abuse_client.buffer import EVENTS_PATH, Report
from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventPayload,
    ClassifyPayload,
    CloudEvent,
    CostPayload,
    EventsBatch,
    InvalidField,
    Reader,
    UnknownEvent,
    encode_fields,
    event_type,
    to_builtins,
)
from abuse_client.contract.wire import Wire

W = TypeVar("W", bound=Wire)

Fields = Mapping[str, Any]
GivenEvent = CloudEvent | UnknownEvent | Fields

AUTH_PATH = "/api/auth-event"
COST_PATH = "/api/usage/cost"

_classify_reader = Reader(ClassifyPayload)
_cost_reader = Reader(CostPayload)
_auth_reader = Reader(AuthEventPayload)
_event_readers: dict[str, Reader[Any]] = {name: Reader(kind) for name, kind in EVENT_CLASSES.items()}
_unknown_reader = Reader(UnknownEvent)


class Draft(msgspec.Struct, frozen=True):
    """Bytes that keep the contract, and the optional fields of them that are malformed."""

    body: bytes
    malformed: tuple[str, ...]

    def insist(self) -> None:
        """Raise `InvalidField` for the first optional field that is malformed."""
        if self.malformed:
            raise InvalidField(self.malformed[0], "wrong type or format; the service would read it as absent")


def classification(given: ClassifyPayload | Fields) -> Draft:
    """The body that asks for a classification."""
    return _draft(_classify_reader, _fields(given))


def cost(given: CostPayload | Fields) -> Draft | None:
    """The body that reports a cost, or ``None`` when there was no classification to report it for."""
    fields = _fields(given)
    if fields.get("request_id") in (None, 0):
        return None
    return _draft(_cost_reader, _with_id(fields))


def auth_event(given: AuthEventPayload | Fields) -> Draft:
    """The body that reports a sign-up or sign-in."""
    return _draft(_auth_reader, _with_id(_fields(given)))


def event(given: GivenEvent) -> Draft:
    """One event as it stands in an envelope."""
    fields = _fields(given)
    reader = _event_readers.get(event_type(fields), _unknown_reader)
    return _draft(reader, fields if _has_stripe_id(fields) else _with_id(fields))


def members(given: Iterable[GivenEvent] | EventsBatch | Fields) -> list[GivenEvent]:
    """The events of a list, or of an envelope."""
    if isinstance(given, EventsBatch):
        return list(given.events)
    if isinstance(given, Mapping):
        return list(given["events"])
    return list(given)


def envelope(reports: list[Report]) -> bytes:
    """The body of one request for reports that `Buffer.take` put together."""
    if reports[0].path != EVENTS_PATH:
        return reports[0].body
    return b'{"events":[' + b",".join(report.body for report in reports) + b"]}"


def _draft(reader: Reader[W], fields: dict[str, Any]) -> Draft:
    body = encode_fields(fields)
    return Draft(body, reader.read(body).malformed)


def _fields(given: Wire | Fields) -> dict[str, Any]:
    if isinstance(given, Wire):
        fields: dict[str, Any] = to_builtins(given)
        return fields
    return dict(given)


def _with_id(fields: dict[str, Any]) -> dict[str, Any]:
    # The id makes a repeated delivery count once.
    return fields if fields.get("event_id") is not None else fields | {"event_id": str(uuid.uuid4())}


def _has_stripe_id(fields: dict[str, Any]) -> bool:
    inner = fields.get("data")
    if not str(fields["type"]).startswith("stripe.") or not isinstance(inner, Mapping):
        return False
    stripe_id = inner.get("id")
    return isinstance(stripe_id, str) and stripe_id.startswith("evt_")
