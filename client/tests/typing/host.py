"""A host's code as strict type checkers see it: what is right passes, what is wrong is named where it stands."""

from concurrent.futures import Future

import abuse_client
from abuse_client import AbuseClient, AsyncAbuseClient, Stats, events
from abuse_client.contract import Classification, ClassifyPayload, CostPayload, Verdict


def threads() -> Verdict | None:
    """Every method of the client for threads."""
    with AbuseClient("http://127.0.0.1:1", strict=True, linger_s=0.1) as client:
        answer = client.classify_request(ClassifyPayload(kilo_user_id="user-1"), deadline=1.0)
        later: Future[Classification | None] = client.start_classification({"kilo_user_id": "user-1"})
        print(later.done())
        client.report_event(events.user_blocked(kilo_user_id="user-1", reason="chargeback", ticket="T-1"))
        client.report_events([events.user_deleted(kilo_user_id="user-1"), {"type": "user.password_changed"}])
        client.report_cost(CostPayload(request_id=1, message_id="msg-1", cost=1))
        client.report_auth_event({"kilo_user_id": "user-1", "event_type": "signin", "email": "someone@example.com"})
        stats: Stats = client.stats()
        print(stats.sent, stats.is_open, client.flush(1.0))
        if answer is None or answer.rules_engine is None:
            return None
        print(answer.rules_engine.resolved_action, answer.context.identity_key)
        return answer.verdict


async def loops() -> bool:
    """What is awaited of the client for asyncio."""
    async with AsyncAbuseClient() as client:
        answer = await client.classify_request({"kilo_user_id": "user-1"})
        client.report_events({"events": [{"type": "user.password_changed"}]})
        print(answer.verdict if answer is not None else None)
        return await client.flush(1.0)


def plain() -> None:
    """The functions over the default client."""
    abuse_client.report_event(events.org_created(kilo_user_id="user-1", organization_id="org-1"))
    print(abuse_client.stats().queued, abuse_client.flush(1.0))
    abuse_client.close()


def wrong(client: AbuseClient) -> None:
    """Mistakes that a checker must find: a missing name, a wrong type, an answer that may be absent."""
    client.report_event(events.user_blocked(reason="chargeback"))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportUnknownArgumentType]
    client.report_event(events.user_deleted(kilo_user_id=7))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(client.classify_request({}).verdict)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
