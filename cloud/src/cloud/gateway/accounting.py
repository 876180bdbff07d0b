"""The one place that books what an answer cost and reports it to the abuse service."""

import logging
from uuid import uuid4

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from abuse_client.gateway import Passage
from abuse_client.integrations.usage import Meter, Usage
from cloud.billing.auto_top_up import top_up_if_low
from cloud.billing.ledger import book_usage
from cloud.context import Cloud
from cloud.gateway.llm_request import LlmRequest
from cloud.gateway.models import Generation

logger = logging.getLogger(__name__)


class Account:
    """What one answer has told of its cost so far; `settle` it once, however the answer ends."""

    def __init__(self, cloud: Cloud, asked: LlmRequest, passage: Passage) -> None:
        self._cloud = cloud
        self._asked = asked
        self._passage = passage
        # The true upstream cost, also of what its reader gets for nothing or pays for himself.
        prompt_characters = asked.prompt_characters() if asked.is_streamed else 0
        self._meter = Meter(passage, self._cost, prompt_characters=prompt_characters)

    def take(self, piece: object) -> None:
        """Take in an answer or a piece of one; what a provider sends never breaks the answer."""
        try:
            self._asked.dialect.take(self._meter, piece)
        except Exception:
            logger.exception("a piece of an answer could not be read")

    async def settle(self) -> None:
        """Book and report; neither ever takes the answer from its reader."""
        usage = self._meter.spent
        if usage is None:
            return
        message_id = self._meter.message_id = self._meter.message_id or f"msg-{uuid4().hex}"
        try:
            await run_in_threadpool(self._book, message_id, usage)
        except SQLAlchemyError as error:
            logger.error("message %s could not be booked: %s", message_id, type(error).__name__)
        self._meter.report()

    def _cost(self, _: str, usage: Usage) -> int:
        return self._asked.model.price(self._asked.model.name, usage)

    def _book(self, message_id: str, usage: Usage) -> None:
        asked, answered = self._asked, self._passage.classification
        cost = self._cost("", usage)
        with self._cloud.transaction() as work:
            work.session.add(
                Generation(
                    message_id=message_id,
                    user_id=asked.caller.user_id,
                    organization_id=asked.caller.organization_id,
                    request_id=(answered.request_id if answered else 0) or None,
                    model=asked.model.name,
                    requested_model=asked.requested_model,
                    verdict=answered.verdict if answered else None,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cost_microdollars=cost,
                    charged_microdollars=cost if asked.is_charged else 0,
                    served_at=work.now,
                )
            )
            if asked.is_charged and cost > 0:
                book_usage(work, asked.caller.owner, cost, message_id)
        if asked.is_charged and cost > 0:
            top_up_if_low(self._cloud, asked.caller.owner)
