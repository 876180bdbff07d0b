"""``POST /api/classify``: asked before an LLM request is proxied. Source: CONTRACT, section "classify"."""

import enum
from typing import Annotated, Any

from msgspec import Meta

from abuse_client.contract.fields import (
    Count,
    EpochMs,
    EventId,
    Id,
    Integer,
    Microdollars,
    RequestId,
    Text,
    UserText,
)
from abuse_client.contract.wire import Wire


class Verdict(enum.StrEnum):
    """What a gateway should do with a request, from harmless to final."""

    ALLOW = "ALLOW"
    CHALLENGE = "CHALLENGE"
    SOFT_BLOCK = "SOFT_BLOCK"
    HARD_BLOCK = "HARD_BLOCK"


class ResolvedAction(enum.StrEnum):
    """The one field that today's gateways enforce."""

    NOTHING = "nothing"
    LOG = "log"
    RATE_LIMIT = "rate-limit"
    QUARANTINE_1 = "quarantine-1"
    QUARANTINE_2 = "quarantine-2"
    QUARANTINE_3 = "quarantine-3"
    BLOCK = "block"


class Signal(enum.StrEnum):
    """The six signals that every client knows. A policy may add names of its own."""

    HIGH_VELOCITY = "high_velocity"
    FREE_TIER_EXHAUSTED = "free_tier_exhausted"
    PREMIUM_HARVESTER = "premium_harvester"
    SUSPICIOUS_FINGERPRINT = "suspicious_fingerprint"
    DATACENTER_IP = "datacenter_ip"
    KNOWN_ABUSER = "known_abuser"


class ChallengeType(enum.StrEnum):
    """How a challenged user proves himself."""

    TURNSTILE = "turnstile"
    PAYMENT_VERIFICATION = "payment_verification"


class ClassifyPayload(Wire, frozen=True, kw_only=True):
    """One LLM request that is about to be proxied. Every field is optional."""

    id: Annotated[Id | None, Meta(description="The sender's own id of the request.")] = None
    kilo_user_id: Annotated[
        UserText | None,
        Meta(description="The user; `anon:` and an address for an anonymous one; empty counts as absent."),
    ] = None
    organization_id: Annotated[
        Text | None, Meta(description="The organization whose balance pays; empty counts as absent.")
    ] = None
    project_id: Annotated[Text | None, Meta(description="The project that the request belongs to.")] = None
    message_id: Annotated[Text | None, Meta(description="The provider's id of the message.")] = None
    cost: Annotated[Microdollars | None, Meta(description="Cost in microdollars, when already known.")] = None
    cache_discount: Annotated[Microdollars | None, Meta(description="Discount by caching, in microdollars.")] = None
    input_tokens: Annotated[Count | None, Meta(description="Tokens of the prompt.")] = None
    output_tokens: Annotated[Count | None, Meta(description="Tokens that were generated.")] = None
    cache_write_tokens: Annotated[Count | None, Meta(description="Tokens written to the provider's cache.")] = None
    cache_hit_tokens: Annotated[Count | None, Meta(description="Tokens read from the provider's cache.")] = None
    max_tokens: Annotated[Integer | None, Meta(description="The ceiling that the caller set for generated tokens.")] = (
        None
    )
    ip_address: Annotated[
        Text | None, Meta(description="The client's address: the raw header value, possibly a list.")
    ] = None
    geo_city: Annotated[Text | None, Meta(description="City of the address.")] = None
    geo_country: Annotated[Text | None, Meta(description="Country of the address, ISO 3166-1 alpha-2.")] = None
    geo_latitude: Annotated[float | None, Meta(description="Latitude of the address, degrees.")] = None
    geo_longitude: Annotated[float | None, Meta(description="Longitude of the address, degrees.")] = None
    ja4_digest: Annotated[
        Text | None,
        Meta(description="JA4 digest of the TLS client hello: names a browser build, not a person."),
    ] = None
    user_agent: Annotated[Text | None, Meta(description="The User-Agent header.")] = None
    provider: Annotated[Text | None, Meta(description="The provider that is asked.")] = None
    model: Annotated[Text | None, Meta(description="The model that is used.")] = None
    requested_model: Annotated[Text | None, Meta(description="The model that was asked for, lower case.")] = None
    inference_provider: Annotated[Text | None, Meta(description="Who runs the model.")] = None
    user_prompt: Annotated[Text | None, Meta(description="The last user message, of any length.")] = None
    system_prompt: Annotated[Text | None, Meta(description="The system prompt, of any length.")] = None
    has_middle_out_transform: Annotated[bool | None, Meta(description="Whether the middle-out transform is on.")] = None
    has_tools: Annotated[bool | None, Meta(description="Whether the request offers tools.")] = None
    streamed: Annotated[bool | None, Meta(description="Whether the answer is streamed.")] = None
    has_error: Annotated[bool | None, Meta(description="Whether the upstream failed.")] = None
    cancelled: Annotated[bool | None, Meta(description="Whether the caller hung up.")] = None
    is_byok: Annotated[bool | None, Meta(description="Whether the request runs on the caller's own key.")] = None
    is_user_byok: Annotated[bool | None, Meta(description="Whether that key belongs to the user himself.")] = None
    status_code: Annotated[Integer | None, Meta(description="HTTP status of the upstream.")] = None
    upstream_id: Annotated[Text | None, Meta(description="The upstream's id of the request.")] = None
    finish_reason: Annotated[Text | None, Meta(description="Why generation ended.")] = None
    created_at: Annotated[
        Text | None,
        Meta(description="When the sender made its record; ISO 8601 or a database's text. Data, no clock."),
    ] = None
    latency: Annotated[float | None, Meta(description="Time to the first byte, milliseconds.")] = None
    moderation_latency: Annotated[float | None, Meta(description="Time spent in moderation, milliseconds.")] = None
    generation_time: Annotated[float | None, Meta(description="Time spent generating, milliseconds.")] = None
    editor_name: Annotated[Text | None, Meta(description="The editor that the request came from.")] = None
    feature: Annotated[Text | None, Meta(description="The product feature that the request came from.")] = None
    abuse_classification: Annotated[
        Integer | str | None, Meta(description="An earlier classification, as the sender keeps it.")
    ] = None
    event_id: Annotated[
        EventId | None,
        Meta(description="The sender's own id of this request: a repeat counts once. Added by us."),
    ] = None
    occurred_at: Annotated[
        EpochMs | None,
        Meta(description="When it happened, epoch milliseconds; absent: receipt. Added by us."),
    ] = None


class ActionMetadata(Wire, frozen=True, kw_only=True):
    """What the verdict needs to be carried out."""

    challenge_type: Annotated[ChallengeType | None, Meta(description="With CHALLENGE: how to challenge.")] = None
    model_override: Annotated[str | None, Meta(description="With SOFT_BLOCK: route silently to this model.")] = None
    retry_after_seconds: Annotated[int | None, Meta(description="After how many seconds to try again.")] = None


class ClassifyContext(Wire, frozen=True, kw_only=True):
    """Whom the answer is about and what he did lately. Always present."""

    identity_key: Annotated[str, Meta(description="`user:…` or `fingerprint:…`; see `identity_key`.")]
    current_spend_1h: Annotated[float, Meta(description="Reported cost within the last hour, USD.")]
    is_new_user: Annotated[bool, Meta(description="First seen within the last hour.")]
    requests_per_second: Annotated[float, Meta(description="Mean over the last minute, this request included.")]
    is_enforced: Annotated[
        bool | None,
        Meta(description="False: enforcement is switched off, so the verdict is ALLOW. Absent: it is on. Added by us."),
    ] = None


class RulesEngine(Wire, frozen=True, kw_only=True):
    """What the rules said. Absent when classifying failed inside the service."""

    matches: Annotated[list[dict[str, Any]], Meta(description="One object for each rule that fired.")]
    sus_score: Annotated[float, Meta(ge=0, le=1, description="Summed evidence of the rules that fired.")]
    resolved_action: Annotated[
        ResolvedAction | None,
        Meta(description="What the gateway is asked to do; null: no rule had a say and nothing was in force."),
    ]
    matched_abuse_rule_ids: Annotated[list[str], Meta(description="Ids of the rules that fired, in policy order.")]


class Classification(Wire, frozen=True, kw_only=True):
    """The answer of ``/api/classify``."""

    verdict: Annotated[Verdict, Meta(description="What the gateway should do.")]
    risk_score: Annotated[float, Meta(ge=0, le=1, description="0.0 harmless to 1.0 certain.")]
    signals: Annotated[list[str], Meta(description="Names of the signals raised; see `Signal`.")]
    action_metadata: Annotated[ActionMetadata, Meta(description="What the verdict needs to be carried out.")]
    context: Annotated[ClassifyContext, Meta(description="Whom the answer is about.")]
    request_id: Annotated[
        RequestId, Meta(description="Joins the later cost report; never issued twice; 0: classifying failed.")
    ]
    rules_engine: Annotated[RulesEngine | None, Meta(description="Absent when classifying failed.")] = None
