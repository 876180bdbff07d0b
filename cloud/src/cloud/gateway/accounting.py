"""The one place that books what an answer cost and reports it to the abuse service."""

import logging

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from abuse_client.gateway import Passage
from cloud.billing.auto_top_up import top_up_if_low
from cloud.billing.ledger import book_usage
from cloud.context import Cloud
from cloud.gateway.chat import Chat
from cloud.gateway.models import Generation
from cloud.gateway.usage import Usage

logger = logging.getLogger(__name__)


async def account(cloud: Cloud, chat: Chat, passage: Passage, message_id: str, usage: Usage) -> None:
    """Book and report one answer; neither ever takes the answer from its reader."""
    request_id = passage.classification.request_id if passage.classification else 0
    try:
        await run_in_threadpool(keep_generation, cloud, chat, request_id, message_id, usage)
    except SQLAlchemyError as error:
        logger.error("message %s could not be booked: %s", message_id, type(error).__name__)
    # The true upstream cost; without a request id there is nothing that it could be joined to.
    passage.report_cost(
        message_id=message_id,
        cost=usage.cost_microdollars(chat.model),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_hit_tokens=usage.cache_hit_tokens,
    )
    if request_id:
        cloud.reporting.counts.add("usage.cost")


def keep_generation(cloud: Cloud, chat: Chat, request_id: int, message_id: str, usage: Usage) -> None:
    cost = usage.cost_microdollars(chat.model)
    is_charged = not (chat.model.is_free or chat.caller.own_key or chat.caller.is_anonymous)
    with cloud.transaction() as work:
        work.session.add(
            Generation(
                message_id=message_id,
                user_id=chat.caller.user_id,
                organization_id=chat.caller.organization_id,
                request_id=request_id or None,
                model=chat.model.name,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cost_microdollars=cost,
                charged_microdollars=cost if is_charged else 0,
                served_at=work.now,
            )
        )
        if is_charged and cost:
            book_usage(work, chat.caller.owner, cost, message_id)
    if is_charged and cost:
        top_up_if_low(cloud, chat.caller.owner)
