"""Answers of the service, for tests to give."""

from collections.abc import Iterable

from abuse_client.contract import (
    ActionMetadata,
    ChallengeType,
    Classification,
    ClassifyContext,
    ResolvedAction,
    RulesEngine,
    Verdict,
)

_AGREEING = {ResolvedAction.BLOCK: Verdict.HARD_BLOCK} | dict.fromkeys(
    [
        ResolvedAction.RATE_LIMIT,
        ResolvedAction.QUARANTINE_1,
        ResolvedAction.QUARANTINE_2,
        ResolvedAction.QUARANTINE_3,
    ],
    Verdict.SOFT_BLOCK,
)


def classification(
    action: ResolvedAction | str | None = None,
    *,
    verdict: Verdict | str | None = None,
    request_id: int = 7,
    identity_key: str = "user:user-1",
    signals: Iterable[str] = (),
    risk_score: float = 0.0,
    challenge_type: ChallengeType | str | None = None,
    model_override: str | None = None,
    retry_after_seconds: int | None = None,
) -> Classification:
    """An answer that names an action, with the verdict that agrees with it; request 0 is one that failed inside."""
    resolved = None if action is None else ResolvedAction(action)
    engine = RulesEngine(matches=[], sus_score=risk_score, resolved_action=resolved, matched_abuse_rule_ids=[])
    agreeing = Verdict.ALLOW if resolved is None else _AGREEING.get(resolved, Verdict.ALLOW)
    return Classification(
        verdict=agreeing if verdict is None else Verdict(verdict),
        risk_score=risk_score,
        signals=list(signals),
        action_metadata=ActionMetadata(
            challenge_type=None if challenge_type is None else ChallengeType(challenge_type),
            model_override=model_override,
            retry_after_seconds=retry_after_seconds,
        ),
        context=ClassifyContext(
            identity_key=identity_key, current_spend_1h=0.0, is_new_user=False, requests_per_second=0.0
        ),
        request_id=request_id,
        rules_engine=engine if request_id else None,
    )
