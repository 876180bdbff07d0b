"""The recorded outcome, with inputs and reasons. API, console and CLI show this one object (decision 11)."""

import enum
from typing import Any

import msgspec

from abuse_client.contract import ChallengeType, ResolvedAction, Verdict
from abuse_service.policy.document import Evidence


class RuleState(enum.StrEnum):
    """What became of a rule in one decision. Rules that stayed silent are not listed.

    A guarded one ran in shadow because it hit too many paying accounts.
    """

    FIRED = "fired"
    SHADOW = "shadow"
    ABSTAINED = "abstained"
    GUARDED = "guarded"


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule that fired, fired in shadow or guarded, or abstained because a value it reads is unknown.

    ``share`` is what a rule that fired added to the risk.
    """

    rule_id: str
    state: RuleState
    title: str
    signal: str
    reason: str
    weight: float
    evidence: Evidence = Evidence.WEAK
    verdict: Verdict = Verdict.ALLOW
    action: ResolvedAction | None = None
    share: float = 0.0
    why_abstained: str = ""
    values: dict[str, Any] = {}


class TrustOutcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason to trust that held where there was a risk, with what it took from that: ``share`` is zero or less."""

    trust_id: str
    title: str
    share: float = 0.0
    values: dict[str, Any] = {}


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a list that named the subject; ``kind`` says by what, without saying it."""

    list_name: str = msgspec.field(name="list")
    kind: str
    reason: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was decided of one identity at one instant, and why.

    ``position`` is the newest position of the log that the decision had seen. ``reasons`` are sentences, the weightiest
    first, never empty. Shares of rules and ``trust`` add up to the risk. ``cluster`` names the linked identities that
    were counted and ``cluster_left_out`` how many more there are, ``listed`` names the entries of lists, ``degraded``
    the parts that failed: what they know is missing.
    Without ``is_enforced`` the verdict is ALLOW and ``would_be`` is what the rules said. ``reserved_microdollars`` are
    promised to this request until its cost is reported. ``delivering`` says how far events were counted that
    somebody had claimed (`abuse_service.identities.releases`), ``None`` where all were.
    """

    request_id: int
    decided_at_ms: int
    identity_key: str
    policy_version: str
    position: int
    verdict: Verdict
    risk_score: float
    reasons: tuple[str, ...]
    signals: tuple[str, ...] = ()
    action: ResolvedAction | None = None
    challenge_type: ChallengeType | None = None
    model_override: str | None = None
    retry_after_seconds: int | None = None
    rules: tuple[RuleOutcome, ...] = ()
    trust: tuple[TrustOutcome, ...] = ()
    degraded: tuple[str, ...] = ()
    values: dict[str, Any] = {}
    cluster: tuple[str, ...] = ()
    cluster_left_out: int = 0
    listed: tuple[Listed, ...] = ()
    is_enforced: bool = True
    would_be: Verdict | None = None
    reserved_microdollars: int = 0
    reserved_until_ms: int = 0
    delivering: tuple[int, int] | None = None
    current_spend_1h: float = 0.0
    is_new_user: bool = False
    requests_per_second: float = 0.0

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("a decision without a reason can't be built")
