"""Decisions as clients read them."""

from typing import Any

from abuse_client.contract import (
    ActionMetadata,
    AuthEventAnswer,
    Classification,
    ClassifyContext,
    RulesEngine,
    Verdict,
)
from abuse_service.decisions.decision import Decision, RuleOutcome, RuleState
from abuse_service.policy.document import Mode


def classification(decision: Decision, identity_key: str | None = None) -> Classification:
    """The answer of ``/api/classify``, to the last field.

    ``identity_key`` as the caller computes it too: a decision on somebody who was erased has another.
    """
    fired = [outcome for outcome in decision.rules if outcome.state is RuleState.FIRED]
    matched = [outcome for outcome in decision.rules if outcome.state is not RuleState.ABSTAINED]
    return Classification(
        verdict=decision.verdict,
        risk_score=decision.risk_score,
        signals=list(decision.signals),
        action_metadata=ActionMetadata(
            challenge_type=decision.challenge_type,
            model_override=decision.model_override,
            retry_after_seconds=decision.retry_after_seconds,
        ),
        context=ClassifyContext(
            identity_key=identity_key or decision.identity_key,
            current_spend_1h=decision.current_spend_1h,
            is_new_user=decision.is_new_user,
            requests_per_second=decision.requests_per_second,
            is_enforced=None if decision.is_enforced else False,
        ),
        request_id=decision.request_id,
        rules_engine=RulesEngine(
            matches=[_match(outcome) for outcome in matched],
            sus_score=decision.risk_score,
            resolved_action=decision.action,
            matched_abuse_rule_ids=[outcome.rule_id for outcome in fired],
        ),
    )


def failed_classification(identity_key: str, *, is_enforced: bool = True) -> Classification:
    """The answer when classifying failed inside the service: ALLOW, id 0, and no ``rules_engine``."""
    return Classification(
        verdict=Verdict.ALLOW,
        risk_score=0.0,
        signals=[],
        action_metadata=ActionMetadata(),
        context=ClassifyContext(
            identity_key=identity_key,
            current_spend_1h=0.0,
            is_new_user=False,
            requests_per_second=0.0,
            is_enforced=None if is_enforced else False,
        ),
        request_id=0,
    )


def auth_answer(decision: Decision, identity_key: str | None = None) -> AuthEventAnswer:
    """The answer of ``/api/auth-event``; ``identity_key`` as in `classification`."""
    return AuthEventAnswer(
        success=True,
        identity_key=identity_key or decision.identity_key,
        verdict=decision.verdict,
        signals=list(decision.signals),
        risk_score=decision.risk_score,
        request_id=decision.request_id or None,
        is_enforced=None if decision.is_enforced else False,
    )


def _match(outcome: RuleOutcome) -> dict[str, Any]:
    return {
        "id": outcome.rule_id,
        "mode": Mode.SHADOW if outcome.state is not RuleState.FIRED else Mode.LIVE,
        "title": outcome.title,
        "signal": outcome.signal,
        "reason": outcome.reason,
        "weight": outcome.weight,
        "action": outcome.action,
    }
