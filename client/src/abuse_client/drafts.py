"""What a caller hands over, made into bytes at the call: a payload that he changes afterwards is not ours."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from abuse_client.contract import (
    AuthEventPayload,
    ClassifyPayload,
    CloudEvent,
    CostPayload,
    EventsBatch,
    UnknownEvent,
    encode_fields,
    event_type,
    to_builtins,
)
from abuse_client.contract.wire import Wire
from abuse_client.prompts import Cut, cut_prompts
from abuse_client.reports import EVENTS_PATH, Report

Fields = Mapping[str, Any]
GivenEvent = CloudEvent | UnknownEvent | Fields

AUTH_PATH = "/api/auth-event"
COST_PATH = "/api/usage/cost"
CLASSIFY_PATH = "/api/classify"

_encode = msgspec.json.Encoder().encode
_ENCODABLE = (Wire, dict)


class Question(msgspec.Struct, frozen=True):
    """The body that asks for a classification, and what was cut from its prompts."""

    body: bytes
    cuts: tuple[Cut, ...] = ()


def question(given: ClassifyPayload | Fields, max_prompt_characters: int) -> Question:
    """What asks for a classification. Raises `TypeError` for what JSON cannot hold."""
    fields, cuts = cut_prompts(_fields(given), max_prompt_characters)
    return Question(encode_fields(fields), cuts)


def cost(given: CostPayload | Fields) -> Report | None:
    """The report of a cost, or ``None`` when there was no classification to report it for."""
    request_id = given.get("request_id") if isinstance(given, Mapping) else given.request_id
    if request_id is None or request_id == 0:
        return None
    return Report(COST_PATH, COST_PATH, _bytes(given))


def auth_event(given: AuthEventPayload | Fields) -> Report:
    """The report of a sign-up or sign-in."""
    return Report(AUTH_PATH, AUTH_PATH, _bytes(given))


def event(given: GivenEvent) -> Report:
    """The report of one event, as it stands in an envelope. Raises `InvalidField` when it has no type."""
    if isinstance(given, UnknownEvent):
        kind = given.type
    elif isinstance(given, Wire):
        kind = str(given.__struct_config__.tag)
    else:
        given = dict(given)
        kind = event_type(given)
    return Report(EVENTS_PATH, kind, _bytes(given))


def members(given: Iterable[GivenEvent] | EventsBatch | Fields) -> list[GivenEvent]:
    """The events of a list, or of an envelope."""
    if isinstance(given, EventsBatch):
        return list(given.events)
    if isinstance(given, Mapping):
        enveloped = cast("Iterable[GivenEvent]", cast("Fields", given)["events"])
        return list(enveloped)
    return list(given)


def _bytes(given: Wire | Fields) -> bytes:
    """The JSON of a payload. Raises `TypeError` for what JSON cannot hold."""
    try:
        body = _encode(given if isinstance(given, _ENCODABLE) else dict(given))
    except UnicodeEncodeError:  # half a surrogate pair
        return encode_fields(_fields(given))
    # The encoder knows nothing of `Wire.extra`, which is rare enough to be looked for in what it wrote.
    return encode_fields(to_builtins(given)) if b'"$extra":' in body else body


def _fields(given: Wire | Fields) -> dict[str, Any]:
    if isinstance(given, Wire):
        fields: dict[str, Any] = to_builtins(given)
        return fields
    return dict(given)
