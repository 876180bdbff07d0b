"""Deciding: the policy over the states as they stand. Pure; the instant comes in."""

from collections.abc import Callable
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload, ResolvedAction, Verdict
from abuse_service.cel.values import CelError
from abuse_service.decisions.cluster import Cluster, alone, find_cluster
from abuse_service.decisions.decision import Decision, Listed, RuleOutcome, RuleState, TrustOutcome
from abuse_service.decisions.lists import TRUSTED, UNBLOCKED, Entry, canonical, find_listed, name_entries
from abuse_service.decisions.score import combine
from abuse_service.decisions.standing import Standing
from abuse_service.decisions.values import READERS, Situation
from abuse_service.events.entity import STRONG_KINDS, EntityKey
from abuse_service.events.event import Facts
from abuse_service.features.catalog import Feature
from abuse_service.features.projection import Projection
from abuse_service.identities.merge import newest
from abuse_service.identities.state import IdentityState
from abuse_service.policy.document import Mode
from abuse_service.policy.policy import Policy, Rule, Trust
from abuse_service.telemetry import log

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

    def __init__(self, policy: Policy, projection: Projection, standing: Standing) -> None:
        self.policy = policy
        self.standing = standing
        self._projection = projection
        features = projection.catalog.features
        self._facts = {name: READERS[name] for name in sorted(policy.reads & READERS.keys())}
        self._features = {name: features[name] for name in sorted(policy.reads & features.keys())}
        self._constants = {name: policy.constants[name] for name in policy.reads & policy.constants.keys()}
        self.named = name_entries(standing.namer, policy.document.lists)
        self._lists = sorted(name for name in policy.reads if name.startswith("listed."))
        self._named = {
            feature.base: [name for name, other in self._features.items() if other.base == feature.base]
            for feature in self._features.values()
        }
        self._requests_1m = features["requests_1m"]
        self._spend_1h = features["spend_1h_microdollars"]

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
    ) -> Decision:
        """The decision on an identity that asks now; its request is already in the states."""
        degraded: list[str] = []
        cluster = self._find_cluster(entity, state, degraded)
        listed = self._find_listed(entity, state, entities, at_ms, degraded)
        is_trusted = TRUSTED in listed or _is_declared(state)
        is_unblocked = UNBLOCKED in listed
        situation = Situation(entity, state, cluster, entities, at_ms, request, facts, is_trusted, is_unblocked)
        values = self._read_facts(situation, degraded)
        values |= self._read_features(state, entities, cluster.members, at_ms, degraded)
        values |= {name: canonical(name.removeprefix("listed.")) in listed for name in self._lists}
        outcomes, trust = self._run_rules(values)
        risk, outcomes, trust = _share_risk(outcomes, trust)
        fired = [outcome for outcome in outcomes if outcome.state is RuleState.FIRED]
        rules_say, leading = self._resolve(fired, risk)
        verdict = rules_say if is_enforced else Verdict.ALLOW
        spend_1h = _read_or_zero(self._spend_1h, state, at_ms, degraded)
        requests_1m = _read_or_zero(self._requests_1m, state, at_ms, degraded)
        weightiest = sorted(fired, key=lambda outcome: (-_SEVERITY[outcome.verdict], -outcome.weight))
        text = self._text(leading)
        outcome_policy = self.policy.document.outcome
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
            values=values,
            cluster=self._name_members(cluster.members) if len(cluster.members) > 1 else (),
            listed=tuple(_told(entry) for entry in listed.values()),
            is_enforced=is_enforced,
            would_be=rules_say if rules_say is not verdict else None,
            current_spend_1h=spend_1h / 1_000_000,
            is_new_user=at_ms - state.first_seen_ms < _HOUR_MS,
            requests_per_second=requests_1m / 60,
        )

    def _find_listed(
        self,
        entity: EntityKey,
        state: IdentityState,
        entities: tuple[EntityKey, ...],
        at_ms: int,
        degraded: list[str],
    ) -> dict[str, Entry]:
        standing = self.standing
        try:
            return find_listed((self.named, standing.lists.index), standing.namer, entity, state, entities, at_ms)
        except Exception:
            _note_failure("lists", degraded)
            return {}

    def _find_cluster(self, entity: EntityKey, state: IdentityState, degraded: list[str]) -> Cluster:
        try:
            return find_cluster(self._projection, entity, state)
        except Exception:
            _note_failure("cluster", degraded)
            return alone(entity)

    def _read_facts(self, situation: Situation, degraded: list[str]) -> dict[str, Any]:
        try:
            return {name: read(situation) for name, read in self._facts.items()}
        except Exception:
            # One by one, to lose no more than the one that fails.
            return {name: _read_or_none(name, read, situation, degraded) for name, read in self._facts.items()}

    def _read_features(
        self,
        state: IdentityState,
        entities: tuple[EntityKey, ...],
        members: tuple[EntityKey, ...],
        at_ms: int,
        degraded: list[str],
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, feature in self._features.items():
            try:
                values[name] = self._read_feature(feature, state, entities, members, at_ms)
            except Exception:
                _note_failure(name, degraded)
                values[name] = None
        for base, complete_since_ms in self._projection.upkeep.doubts.items():
            if at_ms < complete_since_ms:
                values |= dict.fromkeys(self._named.get(base, ()))
        return values

    def _read_feature(
        self,
        feature: Feature,
        state: IdentityState,
        entities: tuple[EntityKey, ...],
        members: tuple[EntityKey, ...],
        at_ms: int,
    ) -> Any:
        """The identity's own, its cluster's as if that were one identity, or the largest over entities of its kind.

        Where the event names none of the kind, those count that the identity is linked to: a request says no mailbox.
        """
        if feature.is_of_cluster:
            known_members = (self._projection.identity(member) for member in members)
            return feature.read_together([one.features for one in known_members if one], at_ms)
        if feature.letter == b"u":
            return feature.read(state.features, at_ms)
        keys = [key for key in entities if key[:1] == feature.letter] or _linked(state, feature.letter)
        found = [self._projection.entity(key) for key in keys]
        read = [feature.read(entity.features, at_ms) for entity in found if entity is not None]
        known = [value for value in read if value is not None]
        return max(known) if known else feature.read({}, at_ms)

    def _run_rules(self, values: dict[str, Any]) -> tuple[list[RuleOutcome], list[TrustOutcome]]:
        rules, trust = self.policy.evaluate(values)
        shown, guarded = values | self._constants, self.standing.guarded
        outcomes = [
            _outcome(rule, holds, shown, is_guarded=rule.text.id in guarded)
            for rule, holds in zip(self.policy.rules, rules, strict=True)
            if holds is not False
        ]
        if self._projection.upkeep.doubts:
            outcomes = [self._with_doubts(one, values) for one in outcomes]
        held = [_trusted(one, shown) for one, holds in zip(self.policy.trust, trust, strict=True) if holds is True]
        return outcomes, held

    def _with_doubts(self, outcome: RuleOutcome, values: dict[str, Any]) -> RuleOutcome:
        """A rule that abstained says which of the features that it reads do not say all yet (ADR 0013)."""
        if outcome.state is not RuleState.ABSTAINED:
            return outcome
        rule = next(rule for rule in self.policy.rules if rule.text.id == outcome.rule_id)
        upkeep = self._projection.upkeep
        unread = {name: self._features[name].base for name in rule.reads if values.get(name, 0) is None}
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


def _outcome(rule: Rule, holds: bool | CelError, values: dict[str, Any], *, is_guarded: bool) -> RuleOutcome:
    text = rule.text
    has_failed = isinstance(holds, CelError)
    live = RuleState.GUARDED if is_guarded else RuleState.FIRED
    state = RuleState.SHADOW if text.mode is Mode.SHADOW else live
    return RuleOutcome(
        rule_id=text.id,
        state=RuleState.ABSTAINED if has_failed else state,
        title=text.title,
        signal=text.signal,
        reason=rule.explain(values),
        weight=text.weight,
        evidence=text.evidence,
        verdict=text.verdict,
        action=text.action,
        why_abstained=str(holds) if has_failed else "",
        values=_read_by(rule.reads, values),
    )


def _linked(state: IdentityState, letter: bytes) -> list[EntityKey]:
    """The entities of a kind that the identity is linked to, the `_MOST_LINKED` that were seen last."""
    links = state.strong if letter in STRONG_KINDS else state.weak
    keys = [key for key in links if key[:1] == letter]
    return sorted(keys, key=lambda key: (-links[key][1], key))[:_MOST_LINKED]


def _trusted(trust: Trust, values: dict[str, Any]) -> TrustOutcome:
    read = _read_by(trust.reads, values)
    return TrustOutcome(trust_id=trust.text.id, title=trust.text.title, share=trust.text.weight, values=read)


def _read_by(names: tuple[str, ...], values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in names if not isinstance(values.get(name), list | None)}


def _share_risk(
    outcomes: list[RuleOutcome], trust: list[TrustOutcome]
) -> tuple[float, list[RuleOutcome], list[TrustOutcome]]:
    """The risk, and all outcomes with what each of them adds to it or takes from it."""
    weights = [outcome.weight for outcome in outcomes if outcome.state is RuleState.FIRED]
    if not weights:
        return 0.0, outcomes, [replace(one, share=0.0) for one in trust]
    risk, gains, losses = combine(weights, [one.share for one in trust])
    share = iter(gains)
    shared = [
        replace(outcome, share=next(share)) if outcome.state is RuleState.FIRED else outcome for outcome in outcomes
    ]
    return risk, shared, [replace(one, share=lost) for one, lost in zip(trust, losses, strict=True)]


def _read_or_none(name: str, read: Callable[[Situation], Any], situation: Situation, degraded: list[str]) -> Any:
    try:
        return read(situation)
    except Exception:
        _note_failure(name, degraded)
        return None


def _read_or_zero(feature: Feature, state: IdentityState, at_ms: int, degraded: list[str]) -> Any:
    try:
        return feature.read(state.features, at_ms)
    except Exception:
        _note_failure(feature.name, degraded)
        return 0


def _note_failure(part: str, degraded: list[str]) -> None:
    log.exception("a part of the decision failed; it is decided without", part=part)
    if part not in degraded:
        degraded.append(part)


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
