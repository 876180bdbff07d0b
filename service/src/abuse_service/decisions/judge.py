"""Deciding: the policy over the states as they stand. Pure; the instant comes in."""

from typing import Any

from abuse_client.contract import ClassifyPayload, ResolvedAction, Verdict
from abuse_service.decisions.cluster import find_cluster
from abuse_service.decisions.decision import Decision, RuleOutcome, RuleState
from abuse_service.decisions.values import READERS, Situation
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Facts
from abuse_service.features.projection import Projection
from abuse_service.identities.merge import newest
from abuse_service.identities.state import IdentityState
from abuse_service.policy.policy import Policy, Rule

_SEVERITY = {verdict: place for place, verdict in enumerate(Verdict)}
_HOUR_MS = 3_600_000
_NO_RULE = "no rule had a say"


class Judge:
    """Decides under one policy."""

    def __init__(self, policy: Policy, projection: Projection) -> None:
        self.policy = policy
        self._projection = projection
        features = policy.catalog.features
        self._facts = {name: READERS[name] for name in sorted(policy.reads & READERS.keys())}
        self._features = {name: features[name] for name in sorted(policy.reads & features.keys())}
        self._constants = {name: policy.constants[name] for name in policy.reads & policy.constants.keys()}
        self._trusted = frozenset(policy.document.lists.get("trusted_identities", ()))
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
        cluster = find_cluster(self._projection, entity, state)
        situation = Situation(entity, state, cluster, at_ms, request, facts, self._is_trusted(state))
        values = {name: read(situation) for name, read in self._facts.items()}
        values |= self._read_features(state, entities, cluster.members, at_ms)
        outcomes = self._run_rules(values)
        fired = [outcome for outcome in outcomes if outcome.state is RuleState.FIRED]
        risk = _combine(fired)
        rules_say, leading = self._resolve(fired, risk)
        verdict = rules_say if is_enforced else Verdict.ALLOW
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
            reasons=tuple(outcome.reason for outcome in weightiest) or (_NO_RULE,),
            signals=tuple(dict.fromkeys(outcome.signal for outcome in weightiest)),
            action=_action(verdict, leading, had_a_say=bool(fired), was_acted_on=state.was_acted_on),
            challenge_type=(text.challenge_type if text else outcome_policy.challenge_type)
            if verdict is Verdict.CHALLENGE
            else None,
            model_override=text.model_override if text and verdict is Verdict.SOFT_BLOCK else None,
            retry_after_seconds=text.retry_after_seconds if text and verdict is not Verdict.ALLOW else None,
            rules=tuple(outcomes),
            values=values,
            cluster=self._name_members(cluster.members) if len(cluster.members) > 1 else (),
            is_enforced=is_enforced,
            would_be=rules_say if rules_say is not verdict else None,
            current_spend_1h=self._spend_1h.read(state.features, at_ms) / 1_000_000,
            is_new_user=at_ms - state.first_seen_ms < _HOUR_MS,
            requests_per_second=self._requests_1m.read(state.features, at_ms) / 60,
        )

    def _is_trusted(self, state: IdentityState) -> bool:
        if state.key in self._trusted:
            return True
        profile = state.record.profile
        return newest(profile, "is_bot") is True or newest(profile, "is_admin") is True

    def _read_features(
        self, state: IdentityState, entities: tuple[EntityKey, ...], members: tuple[EntityKey, ...], at_ms: int
    ) -> dict[str, Any]:
        """Each feature that a rule reads: the identity's own, its cluster's as if that were one identity, or the
        largest over the entities of its kind.
        """
        values = {}
        for name, feature in self._features.items():
            if feature.is_of_cluster:
                known_members = (self._projection.identity(member) for member in members)
                values[name] = feature.read_together([one.features for one in known_members if one], at_ms)
                continue
            if feature.letter == b"u":
                values[name] = feature.read(state.features, at_ms)
                continue
            found = [self._projection.entity(key) for key in entities if key[:1] == feature.letter]
            read = [feature.read(entity.features, at_ms) for entity in found if entity is not None]
            known = [value for value in read if value is not None]
            values[name] = max(known) if known else feature.read({}, at_ms)
        return values

    def _run_rules(self, values: dict[str, Any]) -> list[RuleOutcome]:
        known = {name: value for name, value in values.items() if value is not None}
        said = zip(self.policy.rules, self.policy.run(known), strict=True)
        return [_outcome(rule, holds, values | self._constants) for rule, holds in said if holds is not False]

    def _resolve(self, fired: list[RuleOutcome], risk: float) -> tuple[Verdict, RuleOutcome | None]:
        """The gravest verdict among the rules; evidence that only weighs adds up to a challenge at most."""
        leading = max(fired, key=lambda outcome: (_SEVERITY[outcome.verdict], outcome.weight), default=None)
        if leading is not None and leading.verdict is not Verdict.ALLOW:
            return leading.verdict, leading
        if risk >= self.policy.document.outcome.challenge_at:
            return Verdict.CHALLENGE, None
        return Verdict.ALLOW, leading

    def _text(self, leading: RuleOutcome | None) -> Any:
        return next((rule.text for rule in self.policy.rules if leading and rule.text.id == leading.rule_id), None)

    def _name_members(self, members: tuple[EntityKey, ...]) -> tuple[str, ...]:
        return tuple(member.hex() for member in members[1:])


def _outcome(rule: Rule, holds: bool | None, values: dict[str, Any]) -> RuleOutcome:
    text = rule.text
    state = RuleState.ABSTAINED if holds is None else RuleState.SHADOW if text.shadow else RuleState.FIRED
    read = {name: values[name] for name in rule.reads if not isinstance(values.get(name), list | None)}
    return RuleOutcome(
        rule_id=text.id,
        state=state,
        title=text.title,
        signal=text.signal,
        reason=rule.explain(values),
        weight=text.weight,
        verdict=text.verdict,
        action=text.action,
        values=read,
    )


def _combine(fired: list[RuleOutcome]) -> float:
    """Independent evidence: one minus the product of what each rule leaves open."""
    open_part = 1.0
    for outcome in fired:
        open_part *= 1.0 - outcome.weight
    return round(1.0 - open_part, 4)


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
