"""The policy file, as it is written."""

import enum

import msgspec

from abuse_client.contract import ChallengeType, ResolvedAction, Verdict
from abuse_service.features.declaration import Declaration
from abuse_service.policy.guard import GuardText
from abuse_service.policy.prices import Prices

Scalar = bool | int | float | str | None


class Evidence(enum.StrEnum):
    """How well what a rule claims is known. A hard action needs more than weak evidence."""

    WEAK = "weak"
    STRONG = "strong"
    CONFIRMED = "confirmed"


class Mode(enum.StrEnum):
    """Whether a rule takes part: live decides, shadow is only recorded, off is not run."""

    LIVE = "live"
    SHADOW = "shadow"
    OFF = "off"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An example that ships with a rule: under these values it fires, or it stays silent. Null is a value unknown."""

    name: str
    given: dict[str, Scalar]
    fires: bool


class RuleText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named claim with a reason.

    ``when`` is CEL. ``reason`` is a sentence for people in which ``{name}`` stands for a value. A rule without a
    verdict only weighs.
    """

    id: str
    title: str
    signal: str
    when: str
    reason: str
    weight: float
    evidence: Evidence = Evidence.WEAK
    verdict: Verdict = Verdict.ALLOW
    action: ResolvedAction | None = None
    challenge_type: ChallengeType | None = None
    model_override: str | None = None
    retry_after_seconds: int | None = None
    mode: Mode = Mode.LIVE
    source: str = ""
    triage: str = ""
    cases: list[Case] = []


class TrustText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason to trust: where ``when`` (CEL) holds, this share of the risk is taken away."""

    id: str
    title: str
    when: str
    weight: float


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What evidence that only weighs may add up to."""

    challenge_at: float = 0.6
    challenge_type: ChallengeType = ChallengeType.TURNSTILE


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole policy file. ``event_types`` are further types that the cloud sends, for features to read."""

    title: str
    thresholds: dict[str, int | float] = {}
    lists: dict[str, list[str]] = {}
    event_types: list[str] = []
    features: dict[str, Declaration]
    prices: Prices = Prices()
    guard: GuardText = GuardText()
    outcome: Outcome = Outcome()
    trust: list[TrustText] = []
    rules: list[RuleText]
