"""An identity's block state and newest verdict as one small number, by which a search finds it."""

from abuse_client.contract import Verdict
from abuse_service.identities.facts import is_blocked
from abuse_service.identities.state import IdentityState

_VERDICTS = {None: 0, Verdict.ALLOW: 1, Verdict.CHALLENGE: 2, Verdict.SOFT_BLOCK: 3, Verdict.HARD_BLOCK: 4}
"""Numbers on disk: a new verdict gets the next one."""


def mark_of(state: IdentityState) -> int:
    """The mark of an identity as it is now."""
    decisions = state.decisions
    verdict = Verdict(decisions[-1].verdict) if decisions else None
    return _VERDICTS[verdict] << 1 | is_blocked(state.record)


def marks_that(*, is_blocked: bool | None = None, verdict: Verdict | None = None) -> tuple[int, ...]:
    """Every mark that says so; what is not given may be anything."""
    return tuple(
        number << 1 | blocked
        for said, number in _VERDICTS.items()
        for blocked in (False, True)
        if (verdict is None or said == verdict) and (is_blocked is None or blocked == is_blocked)
    )
