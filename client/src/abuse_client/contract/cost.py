"""``POST /api/usage/cost``: what one request cost. Source: CONTRACT, section "usage/cost"."""

from typing import Annotated

from msgspec import Meta

from abuse_client.contract.fields import (
    MAX_SAFE_INTEGER,
    Count,
    EpochMs,
    EventId,
    Microdollars,
    Text,
    UserText,
)
from abuse_client.contract.wire import Wire


class CostPayload(Wire, frozen=True, kw_only=True):
    """The cost of one request, sent after the response. Not sent when there is no ``request_id`` or it is 0."""

    request_id: Annotated[int, Meta(ge=1, le=MAX_SAFE_INTEGER, description="`request_id` of the classification.")]
    message_id: Annotated[str, Meta(min_length=1, max_length=1024, description="The provider's id of the message.")]
    cost: Annotated[Microdollars, Meta(description="Cost in microdollars; negative for a correction.")]
    kilo_user_id: Annotated[
        UserText | None, Meta(description="The user, as in the classification; `anon:` occurs.")
    ] = None
    ip_address: Annotated[Text | None, Meta(description="The address, as in the classification.")] = None
    ja4_digest: Annotated[Text | None, Meta(description="The JA4 digest, as in the classification.")] = None
    user_agent: Annotated[Text | None, Meta(description="The User-Agent, as in the classification.")] = None
    requested_model: Annotated[Text | None, Meta(description="The model; may differ after a quarantine.")] = None
    input_tokens: Annotated[Count | None, Meta(description="Tokens of the prompt.")] = None
    output_tokens: Annotated[Count | None, Meta(description="Tokens that were generated.")] = None
    cache_write_tokens: Annotated[Count | None, Meta(description="Tokens written to the provider's cache.")] = None
    cache_hit_tokens: Annotated[Count | None, Meta(description="Tokens read from the provider's cache.")] = None
    event_id: Annotated[EventId | None, Meta(description="The sender's own id of this report. Added by us.")] = None
    occurred_at: Annotated[EpochMs | None, Meta(description="Epoch milliseconds; absent: receipt. Added by us.")] = None


class CostUpdate(Wire, frozen=True, kw_only=True):
    """The answer of ``/api/usage/cost``."""

    success: Annotated[bool, Meta(description="Whether the report was taken.")]
    identity_key: Annotated[str, Meta(description="Whose record took the cost.")]
    message_id: Annotated[str, Meta(description="The report's `message_id`.")]
    do_updated: Annotated[bool, Meta(description="Whether the record took the cost now; false for a repeat.")]
    error: Annotated[str | None, Meta(description="Why the report was not taken.")]
