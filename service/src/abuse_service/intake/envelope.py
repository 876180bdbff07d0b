"""The events of a batch, each with its own bytes, typed as fast as the batch allows."""

from collections.abc import Iterator
from typing import Any, Union

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    CloudEvent,
    ContractError,
    InvalidField,
    UnknownEvent,
    blank_controls,
    event_type,
    nests_too_deep,
    parse_object,
    read_object,
)
from abuse_service.events.stripe import StripeSlice


class StripeEvent(msgspec.Struct, tag_field="type"):
    """A ``stripe.*`` event, its data unchecked: nothing in it is required, and what came is looked at later."""

    data: StripeSlice
    occurred_at: int | None = None
    event_id: str | None = None


_STRIPE_CLASSES: dict[str, type[StripeEvent]] = {
    name: msgspec.defstruct(f"Unchecked{kind.__name__}", [], bases=(StripeEvent,), tag=name)  # type: ignore[misc]
    for name, kind in EVENT_CLASSES.items()
    if name.startswith("stripe.")
}
_OTHER_CLASSES = [kind for name, kind in EVENT_CLASSES.items() if name not in _STRIPE_CLASSES]

TYPE_NAMES: dict[type, str] = {
    kind: str(kind.__struct_config__.tag) for kind in (*_OTHER_CLASSES, *_STRIPE_CLASSES.values())
}
"""The wire's name of each class that a batch is read into."""

BatchEvent = CloudEvent | StripeEvent | UnknownEvent


class _RawEnvelope(msgspec.Struct):
    events: list[msgspec.Raw]


_raw_envelope = msgspec.json.Decoder(_RawEnvelope)
_typed_events = msgspec.json.Decoder(
    msgspec.defstruct("_TypedEnvelope", [("events", list[Union[(*_OTHER_CLASSES, *_STRIPE_CLASSES.values())]])])  # type: ignore[misc]
)
_encode = msgspec.json.Encoder().encode

_LONGEST_ID = 64
_LATEST_MS = 2**53


def split(body: bytes) -> list[bytes]:
    """The bytes of each event. Raises `MalformedJson` or `InvalidField` when there is no list of events."""
    for readable in (body, blank_controls(body)):
        try:
            return [bytes(raw) for raw in _raw_envelope.decode(readable).events]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue
    events = parse_object(body).get("events")
    if not isinstance(events, list):
        raise InvalidField("events", "required, a list of events")
    return [_encode(event) for event in events]


def read_events(body: bytes, raws: list[bytes], malformed: list[str]) -> Iterator[BatchEvent | ContractError]:
    """Each event typed, or why it can't be taken. All at once where the batch is well-formed, else one by one.

    ``malformed`` gets the paths of optional fields that read as absent.
    """
    try:
        typed: list[BatchEvent] = _typed_events.decode(body).events  # type: ignore[attr-defined]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        for index, raw in enumerate(raws):
            yield _read_or_refuse(raw, index, malformed)
        return
    for index, (event, raw) in enumerate(zip(typed, raws, strict=True)):
        is_fine = not nests_too_deep(raw) and _is_in_bounds(event)
        yield event if is_fine else _read_or_refuse(raw, index, malformed)


def _is_in_bounds(event: BatchEvent) -> bool:
    if not isinstance(event, StripeEvent):
        return True
    is_fitting_id = event.event_id is None or 0 < len(event.event_id) <= _LONGEST_ID
    return is_fitting_id and (event.occurred_at is None or 0 <= event.occurred_at < _LATEST_MS)


def _read_or_refuse(raw: bytes, index: int, malformed: list[str]) -> BatchEvent | ContractError:
    try:
        if nests_too_deep(raw):
            raise InvalidField("", "nested too deep")
        event, places = _read_event(parse_object(raw))
    except ContractError as error:
        return error
    malformed.extend(f"events[{index}].{place}" for place in places)
    return event


def _read_event(fields: dict[str, Any]) -> tuple[BatchEvent, tuple[str, ...]]:
    name = event_type(fields)
    kind = EVENT_CLASSES.get(name)
    if kind is None:
        unknown = read_object(UnknownEvent, fields)
        return unknown.value, unknown.malformed
    reading = read_object(kind, fields)
    event = reading.value
    unchecked = _STRIPE_CLASSES.get(name)
    if unchecked is None:
        return event, reading.malformed
    said = msgspec.convert(fields["data"], StripeSlice)
    return unchecked(data=said, occurred_at=event.occurred_at, event_id=event.event_id), reading.malformed
