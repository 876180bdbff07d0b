"""What of each type of event tells a person, field by field: what an erasure keeps, and as what (0023).

A field that stands nowhere here goes. A test holds the tables against the contract, so that no new field is forgotten.
"""

import enum
from collections.abc import Mapping
from typing import Union

from abuse_client.contract import EVENT_CLASSES
from abuse_service.events.event import (
    ACCOUNT_JUDGED,
    AUTH_SIGNIN,
    AUTH_SIGNUP,
    CUSTOMER_LINKED,
    IDENTITY_ERASED,
    LINK_CUT,
    LINK_RESTORED,
    LIST_CHANGED,
    REQUEST_CLASSIFIED,
    REQUEST_COST_REPORTED,
)


class Kept(enum.Enum):
    """As what a field outlives an erasure. ``PLAIN``: numbers, flags and single words; ``GONE`` says why it is here."""

    PLAIN = "plain"
    TOKEN = "token"
    MAIL = "mail"
    GONE = "gone"


Shape = Mapping[str, Union[Kept, "Shape"]]
"""The fields of a JSON object; a shape in place of an answer is that of an object, or of those in a list."""

_PLAIN, _TOKEN, _MAIL, _GONE = Kept.PLAIN, Kept.TOKEN, Kept.MAIL, Kept.GONE

CLASSIFY: Shape = {
    **dict.fromkeys(("id", "kilo_user_id", "organization_id", "project_id", "message_id", "upstream_id"), _TOKEN),
    **dict.fromkeys(("ip_address", "ja4_digest", "user_agent", "user_prompt", "system_prompt"), _TOKEN),
    **dict.fromkeys(("cost", "cache_discount", "input_tokens", "output_tokens", "max_tokens"), _PLAIN),
    **dict.fromkeys(("cache_write_tokens", "cache_hit_tokens", "status_code", "abuse_classification"), _PLAIN),
    **dict.fromkeys(("provider", "model", "requested_model", "inference_provider", "editor_name", "feature"), _PLAIN),
    **dict.fromkeys(("has_middle_out_transform", "has_tools", "streamed", "has_error", "cancelled"), _PLAIN),
    **dict.fromkeys(("is_byok", "is_user_byok", "finish_reason", "geo_country"), _PLAIN),
    **dict.fromkeys(("created_at", "occurred_at", "latency", "moderation_latency", "generation_time"), _PLAIN),
    **dict.fromkeys(("geo_city", "geo_latitude", "geo_longitude", "event_id"), _GONE),
}

COST: Shape = {
    **dict.fromkeys(("message_id", "kilo_user_id", "ip_address", "ja4_digest", "user_agent"), _TOKEN),
    **dict.fromkeys(("request_id", "cost", "requested_model", "input_tokens", "output_tokens"), _PLAIN),
    **dict.fromkeys(("cache_write_tokens", "cache_hit_tokens", "occurred_at"), _PLAIN),
    "event_id": _GONE,
}

_MEMBERSHIP: Shape = {
    "organization_id": _TOKEN,
    **dict.fromkeys(("role", "plan", "has_sso", "in_free_trial"), _PLAIN),
}

AUTH: Shape = {
    "email": _MAIL,
    **dict.fromkeys(("kilo_user_id", "ip_address", "ja4_digest", "user_agent", "hosted_domain"), _TOKEN),
    **dict.fromkeys(("signup_ip", "signup_ja4_digest", "stytch_session_id", "stytch_hardware_fingerprint"), _TOKEN),
    "stripe_customer_id": _TOKEN,
    **dict.fromkeys(("event_type", "account_created_at", "occurred_at", "geo_country", "signup_geo_country"), _PLAIN),
    **dict.fromkeys(("auth_method", "customer_source", "cohorts", "auth_providers", "stytch_device_type"), _PLAIN),
    **dict.fromkeys(("is_bot", "is_admin", "is_blocked", "completed_welcome_form", "has_linkedin_url"), _PLAIN),
    **dict.fromkeys(("has_github_url", "has_discord_verified", "has_validation_stytch"), _PLAIN),
    **dict.fromkeys(("has_validation_novel_card_with_hold", "stytch_verdict_action"), _PLAIN),
    "stytch_is_authentic_device": _PLAIN,
    "org_memberships": _MEMBERSHIP,
    **dict.fromkeys(("geo_city", "event_id"), _GONE),
}

_STRIPE_PLAIN = (
    *("type", "amount", "amount_received", "currency", "status", "reason", "decline_code", "failure_code"),
    *("fraud_type", "actionable", "brand", "funding", "country", "created", "network_status", "risk_level"),
)
_STRIPE_TOKENS = (
    *("id", "customer", "charge", "latest_charge", "payment_intent", "payment_method", "source", "invoice"),
    *("subscription", "fingerprint", "kilo_user_id", "organization_id"),
)
_STRIPE_INNER = ("data", "object", "previous_attributes", "outcome", "card", "payment_method_details", "charges")
_stripe: dict[str, Kept | Shape] = {
    **dict.fromkeys(_STRIPE_PLAIN, _PLAIN),
    **dict.fromkeys(_STRIPE_TOKENS, _TOKEN),
    "last4": _GONE,
}
_stripe.update(dict.fromkeys(_STRIPE_INNER, _stripe))
STRIPE: Shape = _stripe
"""Stripe's objects lie in one another in many ways, and a name means the same in all of them."""

_ORGANIZATION: Shape = {"kilo_user_id": _TOKEN, **_MEMBERSHIP}
_USER: Shape = {"kilo_user_id": _TOKEN, "reason": _GONE, "actor_email": _GONE}

BATCH: Mapping[str, Shape] = {
    "user.blocked": _USER,
    "user.unblocked": _USER,
    "user.deleted": {"kilo_user_id": _TOKEN},
    "user.email_changed": {"kilo_user_id": _TOKEN, "email": _MAIL, "previous_email": _MAIL},
    "org.member_added": _ORGANIZATION,
    "org.member_removed": _ORGANIZATION,
    "org.created": _ORGANIZATION,
    "org.deleted": _ORGANIZATION,
    "billing.credit_purchased": {
        **dict.fromkeys(("kilo_user_id", "organization_id"), _TOKEN),
        **dict.fromkeys(("microdollars_acquired", "total_microdollars_acquired", "is_free"), _PLAIN),
    },
    "billing.kilo_pass_changed": {
        "kilo_user_id": _TOKEN,
        **dict.fromkeys(("tier", "status", "streak_months"), _PLAIN),
    },
    **{name: STRIPE for name in EVENT_CLASSES if name.startswith("stripe.")},
}
"""Of each of the 17 types the ``data``."""

_OWN: Mapping[str, Shape] = {
    ACCOUNT_JUDGED: {"event_type": _PLAIN},
    CUSTOMER_LINKED: {
        "link": dict.fromkeys(("stripe_customer_id", "kilo_user_id", "organization_id"), _TOKEN),
        "actor": _PLAIN,
    },
    IDENTITY_ERASED: dict.fromkeys(("reason", "actor"), _PLAIN),
    LINK_CUT: {"actor": _PLAIN},
    LINK_RESTORED: {"actor": _PLAIN},
    LIST_CHANGED: {**dict.fromkeys(("list", "change", "actor", "expires_at"), _PLAIN)},
}

BODIES: Mapping[str, Shape] = {
    REQUEST_CLASSIFIED: CLASSIFY,
    REQUEST_COST_REPORTED: COST,
    AUTH_SIGNUP: AUTH,
    AUTH_SIGNIN: AUTH,
    **{name: {"type": _PLAIN, "occurred_at": _PLAIN, "data": shape} for name, shape in BATCH.items()},
    **_OWN,
}
"""Of each type whose body says something that is kept. Of every other type nothing is."""

_STRIPE_CONTENT: Shape = {
    **dict.fromkeys(("decline_code", "amount", "currency"), _PLAIN),
    **dict.fromkeys(("customer", "charge", "payment_intent", "payment_method", "card"), _TOKEN),
    **dict.fromkeys(("subject", "webhook_id", "joins"), _GONE),
}


def fields_of(event_type: str) -> Shape | None:
    """What outlives an erasure of the fields that a feature may read; ``None`` for a type that is not known."""
    if event_type.startswith("stripe.") and event_type in BATCH:
        return _STRIPE_CONTENT
    return BATCH.get(event_type) or BODIES.get(event_type)
