"""What the gateway refused its users: kept for their pages, the newest of each."""

import logging

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from abuse_client.gateway import Passage, Refusal
from cloud.context import Cloud
from cloud.gateway.llm_request import LlmRequest
from cloud.gateway.models import RefusedRequest

logger = logging.getLogger(__name__)

KEPT = 50
"""Of each user: somebody who is refused a thousand times a minute fills no disk."""


async def note_refusal(cloud: Cloud, asked: LlmRequest, passage: Passage, refusal: Refusal) -> None:
    """Keep the refusal, after its reader has it; who has no account has no page to read it on."""
    if asked.caller.is_anonymous:
        return
    try:
        await run_in_threadpool(keep, cloud, asked, passage, refusal)
    except SQLAlchemyError as error:
        logger.error("a refusal could not be kept: %s", type(error).__name__)


def keep(cloud: Cloud, asked: LlmRequest, passage: Passage, refusal: Refusal) -> None:
    answered = passage.classification
    user_id = asked.caller.user_id
    own = select(RefusedRequest.id).where(RefusedRequest.user_id == user_id).order_by(RefusedRequest.id.desc())
    with cloud.transaction() as work:
        work.session.add(
            RefusedRequest(
                user_id=user_id,
                requested_model=asked.requested_model,
                status=refusal.status,
                code=refusal.code,
                request_id=(answered.request_id if answered else 0) or None,
                verdict=answered.verdict if answered else None,
                refused_at=work.now,
            )
        )
        work.session.flush()
        oldest_kept = work.session.scalars(own.offset(KEPT - 1).limit(1)).one_or_none()
        if oldest_kept is not None:
            older = delete(RefusedRequest).where(RefusedRequest.user_id == user_id, RefusedRequest.id < oldest_kept)
            work.session.execute(older)
