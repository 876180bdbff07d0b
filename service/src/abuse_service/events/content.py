"""The typed content of an event, read from its bytes: the same for an event that just came and for a replayed one."""

from typing import Any, get_type_hints

import msgspec

from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventPayload,
    ClassifyPayload,
    ContractError,
    CostPayload,
    Reader,
    Wire,
)
from abuse_service.events.event import (
    AUTH_SIGNIN,
    AUTH_SIGNUP,
    REQUEST_CLASSIFIED,
    REQUEST_COST_REPORTED,
    Event,
)
from abuse_service.events.stripe import StripeContent, read_stripe

Content = Wire | StripeContent
"""The typed content of an event: a payload, the ``data`` of a batch event, or what a Stripe event says."""

_READERS: dict[str, Reader[Any]] = {name: Reader(kind) for name, kind in EVENT_CLASSES.items()}
_READERS |= {
    REQUEST_CLASSIFIED: Reader(ClassifyPayload),
    REQUEST_COST_REPORTED: Reader(CostPayload),
    AUTH_SIGNUP: Reader(AuthEventPayload),
    AUTH_SIGNIN: Reader(AuthEventPayload),
}

EVENT_FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(kind.__struct_fields__)
    for name, kind in (
        (REQUEST_CLASSIFIED, ClassifyPayload),
        (REQUEST_COST_REPORTED, CostPayload),
        (AUTH_SIGNUP, AuthEventPayload),
        (AUTH_SIGNIN, AuthEventPayload),
        *(
            (name, StripeContent if name.startswith("stripe.") else get_type_hints(kind)["data"])
            for name, kind in EVENT_CLASSES.items()
        ),
    )
}
"""The known types of events, each with the fields that a feature may read of it."""


def content_of(event: Event) -> Content | None:
    """What the event says: the payload, or the ``data`` of a batch event. ``None`` for a type that is not known."""
    reader = _READERS.get(event.type)
    if reader is None:
        return None
    try:
        if event.type.startswith("stripe."):
            return read_stripe(event.body)
        value = reader.read(event.body).value
    except (ContractError, msgspec.MsgspecError):
        # Erasure may leave a body that no longer fits its type; what it counted stays counted.
        return None
    data: Wire = value.data if event.type in EVENT_CLASSES else value
    return data
