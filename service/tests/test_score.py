"""Risk from weights: bounded, never lowered by evidence, lowered by trust, and shared out to the last digit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_service.decisions.score import combine

weights = st.lists(st.floats(0, 1), max_size=12)
trusts = st.lists(st.floats(0.001, 0.999), max_size=6)


@given(weights, trusts)
def test_shares_add_up_to_the_risk(evidence: list[float], trust: list[float]) -> None:
    """The risk lies within 0 and 1, evidence adds to it, trust takes from it, and the shares add up to it."""
    risk, gains, losses = combine(evidence, trust)
    assert 0 <= risk <= 1
    assert len(gains) == len(evidence)
    assert len(losses) == len(trust)
    assert all(gain >= -1e-4 for gain in gains)
    assert all(loss <= 1e-4 for loss in losses)
    assert sum(gains) + sum(losses) == pytest.approx(risk, abs=1e-9)


@given(weights, trusts, st.floats(0, 1))
def test_more_evidence_never_lowers_the_risk(evidence: list[float], trust: list[float], more: float) -> None:
    """One more weight leaves the risk as it was or raises it; one more reason to trust leaves or lowers it."""
    risk = combine(evidence, trust)[0]
    assert combine([*evidence, more], trust)[0] >= risk
    assert combine(evidence, [*trust, more * 0.9])[0] <= risk


def test_equal_weights_share_alike() -> None:
    """Two equal weights have equal shares, whatever their order; two halves make three quarters."""
    assert combine([0.5, 0.5], []) == (0.75, [0.375, 0.375], [])
    assert combine([1.0], [0.5]) == (0.5, [1.0], [-0.5])
    assert combine([], [0.5]) == (0.0, [], [0.0])
