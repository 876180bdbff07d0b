"""What becomes of one request: pure functions, for the guards and for those who route by hand."""

import msgspec

from abuse_client.contract import Classification, ResolvedAction
from abuse_client.gateway.measures import Measure, measure_in
from abuse_client.gateway.settings import GuardSettings

_DEFAULT = GuardSettings()


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The request ends here, with this answer."""

    status: int
    code: str
    message: str
    retry_after_s: int | None = None
    challenge_type: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The answer's headers."""
        headers = {"content-type": "application/json"}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        if self.challenge_type is not None:
            headers["x-challenge-type"] = self.challenge_type
        return headers

    @property
    def fields(self) -> dict[str, dict[str, str]]:
        """The answer's body before it is written, in the shape that SDKs for LLMs read."""
        error = {"code": self.code, "message": self.message, "type": self.code}
        if self.challenge_type is not None:
            error["challenge_type"] = self.challenge_type
        return {"error": error}

    @property
    def body(self) -> bytes:
        """The answer's body, JSON."""
        return msgspec.json.encode(self.fields)


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """Refuse the request, or let it pass after a wait and perhaps on another model."""

    refusal: Refusal | None = None
    wait_s: float = 0.0
    model: str | None = None
    """The model to use in place of the one that was asked for."""
    measure: Measure | None = None
    """What is in force, and so the ground for the rest."""

    @property
    def changes_nothing(self) -> bool:
        """Whether the request passes as if nobody had been asked."""
        return self.refusal is None and not self.wait_s and self.model is None

    def __str__(self) -> str:
        if self.refusal is not None:
            return f"answer {self.refusal.status} {self.refusal.code}"
        waits = [f"wait {self.wait_s:g} s"] if self.wait_s else []
        models = [f"use the model {self.model}"] if self.model else []
        return " and ".join(waits + models) or "pass"


def rule(measure: Measure | None, *, has_own_key: bool = False, settings: GuardSettings = _DEFAULT) -> Ruling:
    """What a measure means for a request. Nobody who brings a key of his own is put on another model."""
    if measure is None or not measure.enforces(settings):
        return Ruling(measure=measure)
    refusal = _refusal(measure, settings)
    if refusal is not None:
        return Ruling(refusal=refusal, measure=measure)
    wait_s = {
        ResolvedAction.QUARANTINE_1: settings.quarantine_1_s,
        ResolvedAction.QUARANTINE_2: settings.quarantine_2_s,
        ResolvedAction.QUARANTINE_3: settings.quarantine_3_s,
    }[measure.action]
    return Ruling(wait_s=wait_s, model=None if has_own_key else _model(measure, settings), measure=measure)


def rule_on(
    answer: Classification | None,
    remembered: Measure | None = None,
    *,
    has_own_key: bool = False,
    settings: GuardSettings = _DEFAULT,
) -> Ruling:
    """What an answer, or else what is remembered, means for a request.

    ``None`` is an answer that did not come. Remember the ruling's ``measure`` for the identity's next request.
    """
    return rule(measure_in(answer) or remembered, has_own_key=has_own_key, settings=settings)


def _refusal(measure: Measure, settings: GuardSettings) -> Refusal | None:
    if measure.is_challenge and settings.can_challenge:
        return Refusal(
            status=403,
            code="challenge_required",
            message="prove that you are you, then try again",
            challenge_type=measure.challenge_type,
        )
    if measure.action is ResolvedAction.BLOCK:
        return Refusal(status=403, code="abuse_blocked", message="the account is blocked for abuse")
    if measure.action is ResolvedAction.RATE_LIMIT:
        return Refusal(
            status=429,
            code="rate_limit_exceeded",
            message="too many requests; slow down",
            retry_after_s=max(1, measure.retry_after_s or settings.retry_after_s),
        )
    return None


def _model(measure: Measure, settings: GuardSettings) -> str | None:
    if measure.model_override is not None:
        return measure.model_override
    return settings.free_model if measure.action is ResolvedAction.QUARANTINE_3 else None
