"""What an answer of the abuse service means for a request: refuse it, slow it down, or route it elsewhere."""

from dataclasses import dataclass

from abuse_client.contract import Classification, ResolvedAction, Verdict
from cloud.gateway.catalogue import FALLBACK, Model, find_model
from cloud.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Pass:
    """The request goes on, after a wait and on another model where the answer says so."""

    wait_seconds: float = 0.0
    model: Model | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The request ends here."""

    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None
    challenge_type: str | None = None


def enforce(classification: Classification | None, settings: Settings, *, has_own_key: bool) -> Pass | Refusal:
    """Decide by the resolved action and, beyond it, by the verdict; without an answer the request passes."""
    if classification is None:
        return Pass()
    refusal = refuse(classification, settings)
    if refusal is not None:
        return refusal
    action = resolved_action(classification)
    model = None if has_own_key else substitute(classification, action)
    return Pass(wait_seconds=wait_seconds(action, settings), model=model)


def refuse(classification: Classification, settings: Settings) -> Refusal | None:
    action = resolved_action(classification)
    metadata = classification.action_metadata
    if action == ResolvedAction.BLOCK or classification.verdict == Verdict.HARD_BLOCK:
        return Refusal(status=403, code="abuse_blocked", message="the account is blocked for abuse")
    if action == ResolvedAction.RATE_LIMIT:
        return Refusal(
            status=429,
            code="rate_limit_exceeded",
            message="too many requests; slow down",
            retry_after_seconds=max(1, metadata.retry_after_seconds or settings.rate_limit_seconds),
        )
    if classification.verdict == Verdict.CHALLENGE:
        return Refusal(
            status=403,
            code="challenge_required",
            message="prove that you are you, then try again",
            challenge_type=metadata.challenge_type,
        )
    return None


def resolved_action(classification: Classification) -> ResolvedAction | None:
    engine = classification.rules_engine
    return engine.resolved_action if engine else None


def substitute(classification: Classification, action: ResolvedAction | None) -> Model | None:
    """Return the model that the request is silently routed to, if it is."""
    override = classification.action_metadata.model_override
    if classification.verdict == Verdict.SOFT_BLOCK and override:
        return find_model(override) or FALLBACK
    return FALLBACK if action == ResolvedAction.QUARANTINE_3 else None


def wait_seconds(action: ResolvedAction | None, settings: Settings) -> float:
    waits = {
        ResolvedAction.QUARANTINE_1: settings.quarantine_1_seconds,
        ResolvedAction.QUARANTINE_2: settings.quarantine_2_seconds,
        ResolvedAction.QUARANTINE_3: settings.quarantine_3_seconds,
    }
    return waits.get(action, 0.0) if action else 0.0
