"""One request on its way through a gateway, from the question to its cost."""

from concurrent.futures import Future
from typing import Protocol

from abuse_client.contract import Classification, ClassifyPayload, CostPayload
from abuse_client.drafts import Fields
from abuse_client.gateway.rulings import Refusal, Ruling

Answering = Future[Classification | None]
"""The answer to one question, as soon as there is one; ``None`` when none came."""


class ReportsCosts(Protocol):
    """The part of a client that a passage needs."""

    def report_cost(self, payload: CostPayload | Fields) -> None:
        """Report what a request cost, without waiting."""


class Passage:
    """What became of one request; keep it until its cost is known."""

    def __init__(
        self, client: ReportsCosts, asked: ClassifyPayload, identity_key: str, ruling: Ruling, answering: Answering
    ) -> None:
        self.identity_key = identity_key
        self.ruling = ruling
        self._client = client
        self._asked = asked
        self._answering = answering

    @property
    def refusal(self) -> Refusal | None:
        """The answer to give in place of serving, if any."""
        return self.ruling.refusal

    @property
    def model(self) -> str | None:
        """The model to use in place of the one that was asked for, if any."""
        return self.ruling.model

    @property
    def classification(self) -> Classification | None:
        """What the service answered; ``None`` as long as it has not."""
        return self._answering.result() if self._answering.done() else None

    def report_cost(
        self,
        *,
        message_id: str,
        cost: int,
        requested_model: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        cache_hit_tokens: int | None = None,
    ) -> None:
        """Report what the request cost, in microdollars, with the facts that it was asked about.

        It never waits: where the answer is still under way the report leaves after it. Without an answer there is
        nothing that a cost could be joined to, and none is reported.
        """
        asked = self._asked

        def report(answering: Answering) -> None:
            answer = answering.result()
            if answer is None or not answer.request_id:
                return
            self._client.report_cost(
                CostPayload(
                    request_id=answer.request_id,
                    message_id=message_id,
                    cost=cost,
                    kilo_user_id=asked.kilo_user_id,
                    ip_address=asked.ip_address,
                    ja4_digest=asked.ja4_digest,
                    user_agent=asked.user_agent,
                    requested_model=requested_model or asked.requested_model,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    cache_write_tokens=cache_write_tokens,
                    cache_hit_tokens=cache_hit_tokens,
                )
            )

        if self._answering.done():  # a strict client raises at the call
            report(self._answering)
        else:
            self._answering.add_done_callback(report)
