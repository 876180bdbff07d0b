"""What is wrong with a payload, by the contract and by what a typing mistake looks like."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventPayload,
    ClassifyPayload,
    ContractError,
    CostPayload,
    UnknownEvent,
    Wire,
    encode_fields,
    event_type,
    parse_object,
    read_object,
    repair,
)

CLASSIFY_PATH = "/api/classify"
COST_PATH = "/api/usage/cost"
AUTH_PATH = "/api/auth-event"
EVENTS_PATH = "/api/events"

PAYLOADS: dict[str, type[Wire]] = {
    CLASSIFY_PATH: ClassifyPayload,
    COST_PATH: CostPayload,
    AUTH_PATH: AuthEventPayload,
}

# Fields beyond the contract that the service uses: what a cloud may add, and what stands beside a prompt that was cut.
_USED_BEYOND = frozenset(
    {"stripe_customer_id", "user_prompt_bytes", "user_prompt_sha256", "system_prompt_bytes", "system_prompt_sha256"}
)


class WrongPayload(AssertionError):
    """A payload would not be taken as it was meant."""


def problems_in(path: str, fields: Mapping[str, Any], *, accepts_unknown: bool = False) -> list[str]:
    """Everything in a payload that the service would refuse, read as absent, or not know; each with its place."""
    try:
        plain = parse_object(repair(encode_fields(dict(fields))))
    except (TypeError, ValueError, RecursionError) as error:
        return [f"{path}: {error}"]
    if path != EVENTS_PATH:
        return list(_problems(PAYLOADS[path], plain, accepts_unknown))
    members = plain.get("events")
    if not isinstance(members, list):
        return ["events: expected a list"]
    return [
        f"events[{index}].{problem}"
        for index, member in enumerate(members)
        for problem in problems_in_event(member, accepts_unknown=accepts_unknown)
    ]


def problems_in_event(event: Any, *, accepts_unknown: bool = False) -> list[str]:
    """The same for one event."""
    if not isinstance(event, Mapping):
        return ["expected an object"]
    try:
        plain = parse_object(repair(encode_fields(dict(event))))
        kind: type[Wire] = EVENT_CLASSES.get(event_type(plain), UnknownEvent)
    except (TypeError, ValueError, RecursionError) as error:
        return [str(error)]
    if kind is UnknownEvent:
        return [] if accepts_unknown else [f"type: found {plain.get('type')!r}, which is none of the contract's 17"]
    return list(_problems(kind, plain, accepts_unknown))


def _problems(kind: type[Wire], fields: dict[str, Any], accepts_unknown: bool) -> Iterator[str]:
    try:
        malformed = read_object(kind, fields).malformed
    except ContractError as error:
        yield str(error)
        return
    yield from (f"{place}: wrong type or format; the service would read it as absent" for place in malformed)
    if not accepts_unknown:
        yield from _unknown(kind, fields)


def _unknown(kind: type[Wire], fields: Mapping[str, Any]) -> Iterator[str]:
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    is_stripe = str(fields.get("type")).startswith("stripe.")  # its objects pass through, whatever is in them
    for name, value in fields.items():
        if name == kind.__struct_config__.tag_field or name in _USED_BEYOND:
            continue
        inner = known.get(name)
        if name not in known:
            yield f"{name}: no field of the contract"
        elif isinstance(inner, type) and issubclass(inner, Wire) and isinstance(value, dict) and not is_stripe:
            yield from (f"{name}.{problem}" for problem in _unknown(inner, value))
