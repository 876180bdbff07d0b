"""What users see of what the gateway did for them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.gateway.models import Generation, RefusedRequest


@dataclass(frozen=True, kw_only=True)
class ModelUsage:
    """What a user used of one model."""

    model: str
    answers: int
    input_tokens: int
    output_tokens: int
    charged_microdollars: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one request: an answer, or a refusal with its status and code."""

    at: datetime
    requested_model: str
    status: int
    code: str | None = None
    model: str | None = None
    """The one that answered."""
    request_id: int | None
    verdict: str | None
    input_tokens: int = 0
    output_tokens: int = 0
    charged_microdollars: int = 0


def list_outcomes(session: Session, user_id: str, limit: int) -> list[Outcome]:
    """Return what came of the user's newest requests."""
    answered = select(Generation).where(Generation.user_id == user_id).order_by(Generation.id.desc()).limit(limit)
    refused = select(RefusedRequest).where(RefusedRequest.user_id == user_id).order_by(RefusedRequest.id.desc())
    outcomes = [
        Outcome(
            at=row.served_at,
            requested_model=row.requested_model or row.model,
            status=200,
            model=row.model,
            request_id=row.request_id,
            verdict=row.verdict,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            charged_microdollars=row.charged_microdollars,
        )
        for row in session.scalars(answered)
    ]
    outcomes += [
        Outcome(
            at=row.refused_at,
            requested_model=row.requested_model,
            status=row.status,
            code=row.code,
            request_id=row.request_id,
            verdict=row.verdict,
        )
        for row in session.scalars(refused.limit(limit))
    ]
    return sorted(outcomes, key=lambda outcome: outcome.at, reverse=True)[:limit]


def usage_by_model(session: Session, user_id: str, since: datetime) -> list[ModelUsage]:
    """Add up what the user used since then, the model that he was charged most for first."""
    charged = func.sum(Generation.charged_microdollars)
    sums = (
        select(
            Generation.model,
            func.count(),
            func.sum(Generation.input_tokens),
            func.sum(Generation.output_tokens),
            charged,
        )
        .where(Generation.user_id == user_id, Generation.served_at >= since)
        .group_by(Generation.model)
        .order_by(charged.desc(), Generation.model)
    )
    return [
        ModelUsage(
            model=model,
            answers=int(answers),
            input_tokens=int(input_tokens),
            output_tokens=int(output_tokens),
            charged_microdollars=int(total),
        )
        for model, answers, input_tokens, output_tokens, total in session.execute(sums)
    ]
