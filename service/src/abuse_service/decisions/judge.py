"""Deciding: the policy over the states as they stand. Pure; the instant comes in."""

from collections.abc import Mapping
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload, ResolvedAction, Verdict
from abuse_service.cel.values import CelError, Unknown
from abuse_service.decisions.cluster import Cluster, alone, find_cluster
from abuse_service.decisions.decision import Decision, Listed, RuleOutcome, RuleState, TrustOutcome
from abuse_service.decisions.lists import TRUSTED, Entry, find_listed, name_entries
from abuse_service.decisions.reading import Readers, Values, note_failure
from abuse_service.decisions.score import combine
from abuse_service.decisions.standing import Standing
from abuse_service.decisions.values import Situation
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Facts
from abuse_service.features.catalog import Feature
from abuse_service.features.projection import Projection
from abuse_service.identities.merge import newest
from abuse_service.identities.state import IdentityState
from abuse_service.policy.document import Mode
from abuse_service.policy.links import link_degrees
from abuse_service.policy.policy import Policy, Rule, Trust

replace = msgspec.structs.replace
_SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
_STRENGTH: dict[ResolvedAction | None, int] = {
    action: place
    for place, action in enumerate(
        (
            ResolvedAction.NOTHING,
            ResolvedAction.LOG,
            ResolvedAction.QUARANTINE_1,
            ResolvedAction.QUARANTINE_2,
            ResolvedAction.QUARANTINE_3,
            ResolvedAction.RATE_LIMIT,
            ResolvedAction.BLOCK,
        )
    )
}
_HOUR_MS = 3_600_000
_MOST_LINKED = 4
_NO_RULE = "no rule had a say"


class Judge:
    """Decides under one policy. What fails degrades the decision, and never the call."""

    def __init__(
        self,
        policy: Policy,
        projection: Projection,
        standing: Standing,
        features: Mapping[str, Feature] | None = None,
    ) -> None:
        """``features`` are the policy's, where the projection keeps them beside those of another one."""
        self.policy = policy
        self.standing = standing
        self._projection = projection
        self._readers = Readers(policy, projection.catalog.features if features is None else features, projection)
        self.degrees = link_degrees(policy.document.thresholds)
        self.named = name_entries(standing.namer, policy.document.lists)
        every: list[Rule | Trust] = [*policy.rules, *policy.trust]
        self._shown = {id(one): _shown(one.reads, policy.constants) for one in every}

    def decide(
        self,
        *,
        request_id: int,
        entity: EntityKey,
        state: IdentityState,
        entities: tuple[EntityKey, ...],
        at_ms: int,
        position: int,
        request: ClassifyPayload,
        facts: Facts,
        is_enforced: bool,
        read: dict[str, Any] | None = None,
    ) -> Decision:
        """The decision on an identity that asks now; its request is already in the states.

        ``read`` are values that another judge read of the same situation, and takes what this one reads.
        """
        degraded: list[str] = []
        cluster = self._find_cluster(entity, state, degraded)
        listed = self._find_listed(entity, state, entities, at_ms, degraded)
        is_trusted = TRUSTED in listed or _is_declared(state)
        ended = self._projection.ended
        situation = Situation(entity, state, cluster, entities, at_ms, request, facts, is_trusted, ended, listed)
        values = Values(self._readers, situation, degraded, self._projection.upkeep.doubts)
        if read:
            values.take(read)
        outcomes = self._run_rules(values)
        risk, trust = 0.0, list[TrustOutcome]()
        if any(outcome.state is RuleState.FIRED for outcome in outcomes):
            # Trust lowers a risk: where nothing speaks against the account there is none.
            risk, outcomes, trust = _share_risk(outcomes, self._find_trust(values))
        fired = [outcome for outcome in outcomes if outcome.state is RuleState.FIRED]
        rules_say, leading = self._resolve(fired, risk)
        verdict = rules_say if is_enforced else Verdict.ALLOW
        spend_1h = values.known("spend_1h_microdollars") or 0
        requests_1m = values.known("requests_1m") or 0
        weightiest = sorted(fired, key=lambda outcome: (-_SEVERITY[outcome.verdict], -outcome.weight))
        text = self._text(leading)
        outcome_policy = self.policy.document.outcome
        if read is not None:
            read.update(values)
        return Decision(
            request_id=request_id,
            decided_at_ms=at_ms,
            identity_key=state.key,
            policy_version=self.policy.version,
            position=position,
            verdict=verdict,
            risk_score=risk,
            reasons=_reasons(weightiest, None if is_enforced else rules_say),
            signals=tuple(dict.fromkeys(outcome.signal for outcome in weightiest)),
            action=_action(verdict, leading, had_a_say=bool(fired), was_acted_on=state.was_acted_on),
            challenge_type=(text.challenge_type if text else outcome_policy.challenge_type)
            if verdict is Verdict.CHALLENGE
            else None,
            model_override=text.model_override if text and verdict is Verdict.SOFT_BLOCK else None,
            retry_after_seconds=text.retry_after_seconds if text and verdict is not Verdict.ALLOW else None,
            rules=tuple(outcomes),
            trust=tuple(trust),
            degraded=tuple(degraded),
            values=values.told(),
            cluster=self._name_members(cluster.members) if len(cluster.members) > 1 else (),
            cluster_left_out=cluster.left_out,
            listed=tuple(_told(entry) for entry in listed.values()),
            is_enforced=is_enforced,
            would_be=rules_say if rules_say is not verdict else None,
            current_spend_1h=spend_1h / 1_000_000,
            is_new_user=at_ms - state.first_seen_ms < _HOUR_MS,
            requests_per_second=requests_1m / 60,
            delivering=self._projection.states.joins.releases.reached,
        )

    def find_listed(
        self, entity: EntityKey, state: IdentityState, entities: tuple[EntityKey, ...], at_ms: int
    ) -> dict[str, Entry]:
        """Of each list that holds the subject at this instant, the entry that names it most closely."""
        indexes = (self.named, self.standing.lists.index)
        return find_listed(indexes, self.standing.namer, entity, state, entities, at_ms, self._projection.ended)

    def _find_listed(
        self,
        entity: EntityKey,
        state: IdentityState,
        entities: tuple[EntityKey, ...],
        at_ms: int,
        degraded: list[str],
    ) -> dict[str, Entry]:
        try:
            return self.find_listed(entity, state, entities, at_ms)
        except Exception:
            note_failure("lists", degraded)
            return {}

    def _find_cluster(self, entity: EntityKey, state: IdentityState, degraded: list[str]) -> Cluster:
        try:
            return find_cluster(self._projection, entity, state, self.degrees)
        except Exception:
            note_failure("cluster", degraded)
            return alone(entity, state)

    def _run_rules(self, values: Values) -> list[RuleOutcome]:
        rules = self.policy.ask_rules(values)
        guarded = self.standing.guarded
        outcomes = [
            _outcome(rule, holds, self._read_by(rule, values), is_guarded=rule.text.id in guarded)
            for rule, holds in zip(self.policy.rules, rules, strict=True)
            if holds is not False
        ]
        if self._projection.upkeep.doubts:
            outcomes = [self._with_doubts(one, values) for one in outcomes]
        return outcomes

    def _find_trust(self, values: Values) -> list[TrustOutcome]:
        return [
            TrustOutcome(
                trust_id=one.text.id,
                title=one.text.title,
                share=one.text.weight,
                values=self._read_by(one, values),
            )
            for one, holds in zip(self.policy.trust, self.policy.ask_trust(values), strict=True)
            if holds is True
        ]

    def _read_by(self, one: Rule | Trust, values: Values) -> dict[str, Any]:
        """What a rule read, as far as it is known; lists are left out."""
        constants, names = self._shown[id(one)]
        return constants | {name: value for name in names if type(value := values[name]) is not Unknown}

    def _with_doubts(self, outcome: RuleOutcome, values: Values) -> RuleOutcome:
        """A rule that abstained says which of the features that it reads do not say all yet (ADR 0013)."""
        if outcome.state is not RuleState.ABSTAINED:
            return outcome
        rule = next(rule for rule in self.policy.rules if rule.text.id == outcome.rule_id)
        upkeep, features = self._projection.upkeep, self._readers.features
        unread = {name: features[name].base for name in rule.reads if name in features and values.known(name) is None}
        doubts = [f"{name} {upkeep.doubt(base)}" for name, base in unread.items() if base in upkeep.doubts]
        return replace(outcome, why_abstained=", ".join(doubts)) if doubts else outcome

    def _resolve(self, fired: list[RuleOutcome], risk: float) -> tuple[Verdict, RuleOutcome | None]:
        """The gravest verdict among the rules; evidence that only weighs adds up to a challenge at most."""
        leading = max(fired, key=_gravity, default=None)
        if leading is not None and leading.verdict is not Verdict.ALLOW:
            return leading.verdict, leading
        if risk >= self.policy.document.outcome.challenge_at:
            return Verdict.CHALLENGE, None
        return Verdict.ALLOW, leading

    def _text(self, leading: RuleOutcome | None) -> Any:
        return next((rule.text for rule in self.policy.rules if leading and rule.text.id == leading.rule_id), None)

    def _name_members(self, members: tuple[EntityKey, ...]) -> tuple[str, ...]:
        return tuple(member.hex() for member in members[1:])


def _gravity(outcome: RuleOutcome) -> tuple[int, int, float]:
    """Of two rules with one verdict the stronger action leads, and of two with one action the weightier."""
    return _SEVERITY[outcome.verdict], _STRENGTH.get(outcome.action, 0), outcome.weight


def _reasons(weightiest: list[RuleOutcome], not_enforced: Verdict | None) -> tuple[str, ...]:
    reasons = tuple(outcome.reason for outcome in weightiest) or (_NO_RULE,)
    return reasons if not_enforced is None else (f"enforcement is off; the rules said {not_enforced}", *reasons)


def _is_declared(state: IdentityState) -> bool:
    """A bot or an admin, as the cloud says."""
    profile = state.record.profile
    return newest(profile, "is_bot") is True or newest(profile, "is_admin") is True


def _told(entry: Entry) -> Listed:
    return Listed(list_name=entry.list_name, kind=entry.kind, reason=entry.reason)


def _outcome(rule: Rule, holds: bool | CelError, read: dict[str, Any], *, is_guarded: bool) -> RuleOutcome:
    text = rule.text
    has_failed = isinstance(holds, CelError)
    live = RuleState.GUARDED if is_guarded else RuleState.FIRED
    state = RuleState.SHADOW if text.mode is Mode.SHADOW else live
    return RuleOutcome(
        rule_id=text.id,
        state=RuleState.ABSTAINED if has_failed else state,
        title=text.title,
        signal=text.signal,
        reason=rule.explain(read),
        weight=text.weight,
        evidence=text.evidence,
        verdict=text.verdict,
        action=text.action,
        why_abstained=str(holds) if has_failed else "",
        values=read,
    )


def _shown(names: tuple[str, ...], constants: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Of the names that a rule reads, the thresholds with their values, and those that each decision reads anew."""
    fixed = {name: constants[name] for name in names if name in constants and not isinstance(constants[name], list)}
    return fixed, tuple(name for name in names if name not in constants)


def _share_risk(
    outcomes: list[RuleOutcome], trust: list[TrustOutcome]
) -> tuple[float, list[RuleOutcome], list[TrustOutcome]]:
    """The risk, and all outcomes with what each of them adds to it or takes from it."""
    weights = [outcome.weight for outcome in outcomes if outcome.state is RuleState.FIRED]
    risk, gains, losses = combine(weights, [one.share for one in trust])
    share = iter(gains)
    shared = [
        replace(outcome, share=next(share)) if outcome.state is RuleState.FIRED else outcome for outcome in outcomes
    ]
    return risk, shared, [replace(one, share=lost) for one, lost in zip(trust, losses, strict=True)]


def _action(
    verdict: Verdict, leading: RuleOutcome | None, *, had_a_say: bool, was_acted_on: bool
) -> ResolvedAction | None:
    """What a gateway is asked to do.

    A gateway keeps a remembered action in force when it reads null, so whatever lifts one says ``nothing``.
    """
    if verdict is Verdict.ALLOW:
        if leading is not None and leading.verdict is Verdict.ALLOW:
            return leading.action or ResolvedAction.LOG
        return ResolvedAction.NOTHING if had_a_say or was_acted_on else None
    if leading is None:
        return ResolvedAction.LOG
    return leading.action
