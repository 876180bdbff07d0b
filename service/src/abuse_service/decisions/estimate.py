"""What a request that was let through may cost until its cost is reported (decision 0014)."""

import msgspec

from abuse_client.contract import ClassifyPayload, ResolvedAction
from abuse_service.decisions.decision import Decision
from abuse_service.identities.record import Spend
from abuse_service.policy.policy import Policy
from abuse_service.policy.prices import PriceTable

# What a gateway answers itself, without asking a model.
_REFUSING = (ResolvedAction.RATE_LIMIT, ResolvedAction.BLOCK)
_BYTES_A_TOKEN = 4


class Estimator:
    """Says of each decision how much it promises, under one policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._table = PriceTable(policy.document.prices, policy.document.thresholds)

    def promise(self, decision: Decision, request: ClassifyPayload, prompt_bytes: int, spend: Spend) -> Decision:
        """The decision with what it reserves; itself where that is nothing.

        A refused request and one on the caller's own key cost us nothing. One that is sent to another model costs what
        that one does, whatever the requests before it cost.
        """
        if decision.action in _REFUSING or request.is_byok or request.is_user_byok:
            return decision
        model, mean = decision.model_override, 0
        if model is None:
            model = request.requested_model or request.model or ""
            mean = spend.cost_microdollars // spend.reports if spend.reports else 0
        output = request.max_tokens
        if output is not None and output <= 0:
            output = None
        tokens = max(0, request.input_tokens or prompt_bytes // _BYTES_A_TOKEN)
        microdollars = self._table.guess(model, tokens, output, mean)
        if not microdollars:
            return decision
        return msgspec.structs.replace(
            decision,
            reserved_microdollars=microdollars,
            reserved_until_ms=decision.decided_at_ms + self._table.seconds * 1000,
        )
