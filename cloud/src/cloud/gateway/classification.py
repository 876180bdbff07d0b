"""The one place that asks the abuse service about a request."""

from abuse_client import AsyncAbuseClient
from abuse_client.contract import Classification, ClassifyPayload
from cloud.gateway.chat import Chat
from cloud.reporting import ReportCounts
from cloud.settings import Settings


async def classify(
    abuse: AsyncAbuseClient, chat: Chat, settings: Settings, counts: ReportCounts
) -> Classification | None:
    """Return the classification, or `None`, which lets the request pass, when none came before the deadline."""
    classification: Classification | None = await abuse.classify_request(
        classify_payload(chat, settings), deadline=settings.classify_deadline_seconds
    )
    counts.add("classify" if classification is not None else "classify.unanswered")
    return classification


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
