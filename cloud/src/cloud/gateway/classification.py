"""What the abuse service is asked about a request, and what the guard may do with its answer."""

from abuse_client.contract import ClassifyPayload
from abuse_client.gateway import GuardSettings
from cloud.gateway.catalogue import FALLBACK
from cloud.gateway.chat import Chat
from cloud.settings import Settings


def guard_settings(settings: Settings) -> GuardSettings:
    """Have every request wait for its own answer: this cloud shows what the service says, at once."""
    return GuardSettings(
        always_waits=True,
        can_challenge=True,
        deadline_s=settings.classify_deadline_seconds,
        free_model=FALLBACK.name,
        retry_after_s=settings.rate_limit_seconds,
        quarantine_1_s=settings.quarantine_1_seconds,
        quarantine_2_s=settings.quarantine_2_seconds,
        quarantine_3_s=settings.quarantine_3_seconds,
    )


def classify_payload(chat: Chat, settings: Settings) -> ClassifyPayload:
    """Say what is known of the request; prompts of an organization's user only if the operator allows it."""
    caller, facts = chat.caller, chat.facts
    tells_prompts = caller.organization_id is None or settings.send_organization_prompts
    return ClassifyPayload(
        kilo_user_id=caller.user_id,
        organization_id=caller.organization_id,
        ip_address=facts.ip_address,
        geo_city=facts.geo_city,
        geo_country=facts.geo_country,
        geo_latitude=facts.geo_latitude,
        geo_longitude=facts.geo_longitude,
        ja4_digest=facts.ja4_digest,
        user_agent=facts.user_agent,
        provider=chat.model.provider,
        model=chat.model.name,
        requested_model=chat.requested_model,
        user_prompt=chat.last_text("user") if tells_prompts else None,
        system_prompt=chat.last_text("system") if tells_prompts else None,
        max_tokens=chat.max_tokens,
        has_tools=bool(chat.body.get("tools")),
        streamed=chat.is_streamed,
        is_byok=caller.own_key is not None,
        is_user_byok=caller.own_key is not None,
        editor_name=caller.editor_name,
        feature="chat_completions",
    )
