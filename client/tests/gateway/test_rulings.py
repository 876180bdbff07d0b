"""What an action means for a request, in tables."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_client.contract import ResolvedAction
from abuse_client.gateway import GuardSettings, Measure, measure_in, rule, rule_on
from abuse_client.testing import classification

SETTINGS = GuardSettings(free_model="example/free")

# action → status, wait, model, model for somebody with a key of his own
TABLE = [
    (None, None, 0.0, None, None),
    ("nothing", None, 0.0, None, None),
    ("log", None, 0.0, None, None),
    ("rate-limit", 429, 0.0, None, None),
    ("quarantine-1", None, 2.0, None, None),
    ("quarantine-2", None, 6.0, None, None),
    ("quarantine-3", None, 6.0, "example/free", None),
    ("block", 403, 0.0, None, None),
]


@pytest.mark.parametrize(("action", "status", "wait_s", "model", "own_key_model"), TABLE)
def test_each_action_has_its_meaning(action, status, wait_s, model, own_key_model):
    """Each action refuses, slows down or reroutes as the contract says, and a key of one's own keeps the model."""
    ruling = rule_on(classification(action), settings=SETTINGS)
    own = rule_on(classification(action), has_own_key=True, settings=SETTINGS)
    assert (ruling.refusal and ruling.refusal.status, ruling.wait_s, ruling.model) == (status, wait_s, model)
    assert (own.refusal and own.refusal.status, own.wait_s, own.model) == (status, wait_s, own_key_model)
    assert ruling.changes_nothing is (action in (None, "nothing", "log"))


def test_refusals_have_their_bodies():
    """A block is 403 abuse_blocked, a rate limit is 429 rate_limit_exceeded and says when to come back."""
    block = rule_on(classification("block")).refusal
    limit = rule_on(classification("rate-limit", retry_after_seconds=17)).refusal
    assert (block.status, json.loads(block.body)["error"]["code"]) == (403, "abuse_blocked")
    assert "retry-after" not in block.headers
    assert (limit.status, json.loads(limit.body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert limit.headers["retry-after"] == "17"


@pytest.mark.parametrize(("told", "expected"), [(None, "60"), (0, "60"), (-5, "1"), (1, "1"), (90, "90")])
def test_retry_after_is_positive(told, expected):
    """Where the answer says nothing usable the setting holds, and it is never less than a second."""
    assert rule_on(classification("rate-limit", retry_after_seconds=told)).refusal.headers["retry-after"] == expected


def test_override_wins_over_setting():
    """A soft block's model is used with every quarantine; only without one is it the setting's."""
    assert (
        rule_on(classification("quarantine-1", model_override="example/cheap"), settings=SETTINGS).model
        == "example/cheap"
    )
    assert (
        rule_on(classification("quarantine-3", model_override="example/cheap"), settings=SETTINGS).model
        == "example/cheap"
    )
    assert rule_on(classification("quarantine-3")).model is None
    assert rule_on(classification("quarantine-1", model_override="m"), has_own_key=True).model is None


@pytest.mark.parametrize("action", ["log", "quarantine-1", "block"])
def test_challenge_needs_somebody_who_asks(action):
    """Whoever can ask for a proof does; for everybody else a challenge is the action that goes with it."""
    challenge = classification(action, verdict="CHALLENGE", challenge_type="turnstile")
    refusal = rule_on(challenge, settings=GuardSettings(can_challenge=True)).refusal
    assert (refusal.status, refusal.code) == (403, "challenge_required")
    assert refusal.headers["x-challenge-type"] == refusal.fields["error"]["challenge_type"] == "turnstile"
    plain = rule_on(challenge)
    assert (plain.refusal and plain.refusal.code, plain.wait_s) == {
        "log": (None, 0.0),
        "quarantine-1": (None, 2.0),
        "block": ("abuse_blocked", 0.0),
    }[action]


def test_silence_keeps_what_was():
    """No answer, an answer without rules, and null leave in force what was; `nothing` and `log` lift it."""
    remembered = measure_in(classification("block"))
    silent = [None, classification(None), classification("nothing", request_id=0)]
    assert [rule_on(one, remembered).measure for one in silent] == [remembered] * 3
    assert [rule_on(one, None).measure for one in silent] == [None] * 3
    assert rule_on(classification("nothing"), remembered).changes_nothing
    assert rule_on(classification("log"), remembered).changes_nothing


@given(
    action=st.sampled_from(ResolvedAction),
    is_challenge=st.booleans(),
    can_challenge=st.booleans(),
    has_own_key=st.booleans(),
    override=st.none() | st.just("example/cheap"),
)
def test_ruling_acts_only_if_measure_enforces(action, is_challenge, can_challenge, has_own_key, override):
    """A request is touched exactly when its measure says that it enforces, and never both refused and slowed down."""
    settings = msgspec.structs.replace(SETTINGS, can_challenge=can_challenge)
    measure = Measure(action=action, is_challenge=is_challenge, model_override=override)
    ruling = rule(measure, has_own_key=has_own_key, settings=settings)
    assert ruling.changes_nothing is not measure.enforces(settings)
    assert not (ruling.refusal and (ruling.wait_s or ruling.model))
    assert not (has_own_key and ruling.model)


def test_ruling_says_what_it_does():
    """As text it is what a log line needs."""
    texts = [str(rule_on(classification(action), settings=SETTINGS)) for action in ("nothing", "block", "quarantine-3")]
    assert texts == ["pass", "answer 403 abuse_blocked", "wait 6 s and use the model example/free"]
