"""A host's code around the guards, the integrations and the testing parts, as strict type checkers see it."""

from abuse_client import AbuseClient, AsyncAbuseClient, events
from abuse_client.gateway import AsyncGuard, Guard, GuardSettings, Measure, Ruling, describe_llm_request, rule_on, trust
from abuse_client.integrations.fastapi import FastApiAbuse
from abuse_client.integrations.flask import FlaskAbuse
from abuse_client.integrations.openai import metered_stream
from abuse_client.integrations.opentelemetry import observe
from abuse_client.integrations.sqlalchemy import AfterCommit
from abuse_client.integrations.stripe import Owner, StripeNotice, StripeWebhooks
from abuse_client.integrations.usage import Price
from abuse_client.testing import AsyncRecordingClient, RecordingClient, classification


def threads(client: AbuseClient) -> bytes | None:
    """A guard for threads, with the real client and with a recording one."""
    guard = Guard(client, GuardSettings(free_model="example/free"))
    Guard(RecordingClient()).admit({"kilo_user_id": "user-1"})
    passage = guard.admit(describe_llm_request(b"{}", kilo_user_id="user-1"))
    if passage.refusal is not None:
        return passage.refusal.body
    for _ in metered_stream(passage, ["piece"], Price(input=1, output=2)):
        passage.report_cost(message_id="msg-1", cost=1, input_tokens=2)
    print(passage.model, passage.classification, guard.flush(1.0))
    return None


async def loops(client: AsyncAbuseClient) -> bool:
    """A guard for asyncio, and FastAPI over both kinds of client."""
    guard = AsyncGuard(client)
    passage = await guard.admit({"kilo_user_id": "user-1"}, lingers=False)
    print(passage.ruling.wait_s, FastApiAbuse(client, trust=trust("vercel", ["10.0.0.0/8"])).facts)
    print(FastApiAbuse(AsyncRecordingClient()))
    return await guard.flush(1.0)


def by_hand(remembered: Measure | None) -> Ruling:
    """The pure function."""
    return rule_on(classification("block"), remembered, has_own_key=True)


def owner_of(notice: StripeNotice) -> Owner | None:
    """A look-up as a product writes it."""
    return Owner(kilo_user_id="user-1") if "cus_1" in notice.named_ids() else None


def around(client: AbuseClient, recorder: RecordingClient) -> None:
    """What takes either client."""
    AfterCommit(client).report_event(None, events.user_deleted(kilo_user_id="user-1"))
    AfterCommit(recorder)
    StripeWebhooks(client, secret=["a", "b"], owner_of=owner_of).take(b"", None, report=recorder.report_event)
    FlaskAbuse(client, user_id=lambda: None)
    FlaskAbuse(recorder, user_id=lambda: "user-1")
    observe(client)


def wrong(client: AbuseClient) -> None:
    """Mistakes that a checker must find: the other kind of client, a cost in dollars, an unknown setting."""
    AsyncGuard(client)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Guard(client).admit({}).report_cost(message_id="msg-1", cost=0.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    GuardSettings(free="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
