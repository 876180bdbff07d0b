"""When a report that did not get through is sent again."""

import random

from abuse_client.service import Answer, NoAnswer

MAX_ATTEMPTS = 8
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
LONGEST_RETRY_AFTER_S = 60.0

_RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})


def pause_before_retry(attempt: int, outcome: Answer | NoAnswer, spread: float | None = None) -> float | None:
    """Seconds to wait before the next attempt, or ``None`` when there must be no more.

    ``attempt`` counts from 1. The pause doubles with each attempt and is spread by chance over its upper half, so that
    many senders do not come back in step; ``spread`` (0 to 1) replaces the chance. What the service asks for by
    ``Retry-After`` is honoured, up to a minute.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    if isinstance(outcome, NoAnswer):
        if not outcome.may_retry:
            return None
    elif outcome.status not in _RETRYABLE_STATUSES:
        return None
    elif outcome.retry_after_s is not None:
        return min(outcome.retry_after_s, LONGEST_RETRY_AFTER_S)
    longest = min(FIRST_PAUSE_S * float(2 ** (attempt - 1)), LONGEST_PAUSE_S)
    return longest * (0.5 + 0.5 * (random.random() if spread is None else spread))
