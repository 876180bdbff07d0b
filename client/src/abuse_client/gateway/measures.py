"""What an answer puts in force for an identity."""

import msgspec

from abuse_client.contract import Classification, ResolvedAction, Verdict
from abuse_client.gateway.settings import GuardSettings

_ENFORCING = frozenset(ResolvedAction) - {ResolvedAction.NOTHING, ResolvedAction.LOG}


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """An action, with what it takes to carry it out."""

    action: ResolvedAction
    is_challenge: bool = False
    """The verdict was CHALLENGE; the action is for gateways that cannot ask for a proof."""
    challenge_type: str | None = None
    model_override: str | None = None
    retry_after_s: int | None = None
    request_id: int = 0
    """The request whose answer named it, for `abuse-service explain`."""

    def enforces(self, settings: GuardSettings) -> bool:
        """Whether carrying it out changes anything for the user."""
        return self.action in _ENFORCING or (self.is_challenge and settings.can_challenge)


def measure_in(answer: Classification | None) -> Measure | None:
    """The measure that an answer names; ``None`` where it says nothing, which leaves in force what was."""
    if answer is None or answer.rules_engine is None or answer.rules_engine.resolved_action is None:
        return None
    needs = answer.action_metadata
    return Measure(
        action=answer.rules_engine.resolved_action,
        is_challenge=answer.verdict is Verdict.CHALLENGE,
        challenge_type=needs.challenge_type,
        model_override=needs.model_override if answer.verdict is Verdict.SOFT_BLOCK else None,
        retry_after_s=needs.retry_after_seconds,
        request_id=answer.request_id,
    )
