"""What the abuse service is asked about a request, by whom, and what the guard may do with the answer."""

from concurrent.futures import Future
from typing import Any

from abuse_client import AsyncAbuseClient
from abuse_client.contract import Classification, ClassifyPayload, CostPayload
from abuse_client.gateway import GuardSettings, RequestFacts, describe_llm_request
from cloud.gateway.catalogue import FALLBACK
from cloud.gateway.llm_request import LlmRequest
from cloud.network import NetworkFacts
from cloud.reporting import ReportCounts
from cloud.settings import Settings


def guard_settings(settings: Settings) -> GuardSettings:
    """Return what the operator lets the guard do."""
    return GuardSettings(
        always_waits=settings.waits_for_classification,
        can_challenge=True,
        deadline_s=settings.classify_deadline_seconds,
        free_model=FALLBACK.name,
        retry_after_s=settings.rate_limit_seconds,
        quarantine_1_s=settings.quarantine_1_seconds,
        quarantine_2_s=settings.quarantine_2_seconds,
        quarantine_3_s=settings.quarantine_3_seconds,
    )


def classify_payload(asked: LlmRequest, settings: Settings) -> ClassifyPayload:
    """Say what is known of the request; prompts of an organization's user only if the operator allows it."""
    caller = asked.caller
    return describe_llm_request(
        asked.body,
        network_facts(asked.facts),
        kilo_user_id=caller.user_id,
        organization_id=caller.organization_id,
        sends_prompts=caller.organization_id is None or settings.send_organization_prompts,
        provider=asked.model.provider,
        model=asked.model.name,
        requested_model=asked.requested_model,
        is_byok=caller.own_key is not None,
        is_user_byok=caller.own_key is not None,
        editor_name=caller.editor_name,
        feature=asked.dialect.feature,
    )


def network_facts(facts: NetworkFacts) -> RequestFacts:
    return RequestFacts(
        ip_address=facts.ip_address,
        client_ip=facts.client_ip,
        user_agent=facts.user_agent,
        ja4_digest=facts.ja4_digest,
        geo_city=facts.geo_city,
        geo_country=facts.geo_country,
        geo_latitude=facts.geo_latitude,
        geo_longitude=facts.geo_longitude,
    )


class CountedClient:
    """The abuse client as the guard sees it; it counts what was answered and what costs were reported."""

    def __init__(self, client: AsyncAbuseClient, counts: ReportCounts) -> None:
        self._client = client
        self._counts = counts

    async def classify_request(self, payload: ClassifyPayload | Any, deadline: float = 2.0) -> Classification | None:
        answer = await self._client.classify_request(payload, deadline)
        self._count(answer)
        return answer

    def start_classification(
        self, payload: ClassifyPayload | Any, deadline: float = 2.0
    ) -> Future[Classification | None]:
        started = self._client.start_classification(payload, deadline)
        started.add_done_callback(lambda answering: self._count(answering.result()))
        return started

    def report_cost(self, payload: CostPayload | Any) -> None:
        self._client.report_cost(payload)
        self._counts.add("usage.cost")

    def _count(self, answer: Classification | None) -> None:
        self._counts.add("classify" if answer is not None else "classify.unanswered")
