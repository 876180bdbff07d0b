"""What users see of what the gateway did for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.gateway.models import Generation


@dataclass(frozen=True, kw_only=True)
class ModelUsage:
    """What a user used of one model."""

    model: str
    answers: int
    input_tokens: int
    output_tokens: int
    charged_microdollars: int


def list_answers(session: Session, user_id: str, limit: int) -> Sequence[Generation]:
    """Return the newest answers to the user."""
    own = select(Generation).where(Generation.user_id == user_id)
    return session.scalars(own.order_by(Generation.id.desc()).limit(limit)).all()


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
