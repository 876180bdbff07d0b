"""When a report that did not get through is sent again."""

import random

from abuse_client.circuit import Circuit, Ticket
from abuse_client.service import Answer, NoAnswer

MAX_ATTEMPTS = 8
KEEP_TRYING_S = 300.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
LONGEST_RETRY_AFTER_S = 60.0

TOO_MANY = 429
_RETRYABLE_STATUSES = frozenset({TOO_MANY, 502, 503, 504})


def pause_before_retry(
    attempt: int, outcome: Answer | NoAnswer, waited_s: float = 0.0, spread: float | None = None
) -> float | None:
    """Seconds to wait before the next attempt, or ``None`` when there must be no more.

    ``attempt`` counts from 1, ``waited_s`` from the first of them: a report is given up after eight attempts, but not
    before five minutes, so that a restart of the service costs nothing. The pause doubles with each attempt and is
    spread by chance over its upper half, so that many senders do not come back in step; ``spread`` (0 to 1) replaces
    the chance. What the service asks for by ``Retry-After`` is honoured, up to a minute.
    """
    if not may_retry(outcome) or (attempt >= MAX_ATTEMPTS and waited_s >= KEEP_TRYING_S):
        return None
    if (asked := pause_asked_for(outcome)) is not None:
        return asked
    longest = min(FIRST_PAUSE_S * float(2 ** min(attempt - 1, 10)), LONGEST_PAUSE_S)
    return longest * (0.5 + 0.5 * (random.random() if spread is None else spread))


def may_retry(outcome: Answer | NoAnswer) -> bool:
    """Whether the same report may succeed later."""
    return outcome.may_retry if isinstance(outcome, NoAnswer) else outcome.status in _RETRYABLE_STATUSES


def pause_asked_for(outcome: Answer | NoAnswer) -> float | None:
    """The seconds for which a busy service asks to be left alone."""
    if isinstance(outcome, NoAnswer) or outcome.status not in _RETRYABLE_STATUSES or outcome.retry_after_s is None:
        return None
    return min(outcome.retry_after_s, LONGEST_RETRY_AFTER_S)


def tell_circuit(circuit: Circuit, ticket: Ticket, outcome: Answer | NoAnswer) -> None:
    """Let a circuit know what came of a request. A refusal is a success here: the service does its work."""
    asked_s = pause_asked_for(outcome)
    if asked_s is not None:
        circuit.rest(asked_s)
    elif isinstance(outcome, NoAnswer) or outcome.status == TOO_MANY or outcome.status >= 500:
        circuit.failed(ticket)
    else:
        circuit.succeeded(ticket)
