"""The guard: a rule that suddenly hits many paying accounts drops to shadow by itself (decision 0015).

Hits are counted in memory, within a bound: after a restart the count begins anew, what was guarded stays so.
"""

import msgspec

from abuse_client.contract import Verdict
from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.decisions.standing import GuardedRule, Standing
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import OWN_SOURCE, RULE_GUARDED, Event
from abuse_service.identities.facts import is_paying
from abuse_service.identities.state import IdentityState
from abuse_service.identities.tenure import Ended
from abuse_service.policy.policy import Policy

_encode = msgspec.json.Encoder().encode


class Guard:
    """Counts the paying accounts that each rule hits."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._policy: Policy | None = None
        self._exempt: frozenset[str] = frozenset()
        # By rule, the accounts that it hit and when it did last, those hit longest ago first.
        self._hits: dict[str, dict[EntityKey, int]] = {}

    def watch(
        self, policy: Policy, entity: EntityKey, state: IdentityState, decision: Decision, ended: Ended
    ) -> list[Event]:
        """Count what a decision did, and the events to record where that was too much.

        The decision itself stands as it was made: it is the next one that the rule no longer touches.
        """
        if not decision.is_enforced:
            return []
        if policy is not self._policy:
            self._policy, self._hits = policy, {}
            self._exempt = frozenset(policy.document.guard.exempt)
        hitting = [
            outcome.rule_id
            for outcome in decision.rules
            if outcome.verdict is not Verdict.ALLOW
            and outcome.state is RuleState.FIRED
            and outcome.rule_id not in self._exempt
        ]
        if not hitting or not is_paying(state.record, ended):
            return []
        found = [self._hit(policy, rule_id, entity, decision.decided_at_ms) for rule_id in hitting]
        return [event for event in found if event is not None]

    def _hit(self, policy: Policy, rule_id: str, entity: EntityKey, at_ms: int) -> Event | None:
        guard = policy.document.guard
        hits = self._hits.setdefault(rule_id, {})
        hits.pop(entity, None)
        hits[entity] = at_ms
        while hits and next(iter(hits.values())) <= at_ms - guard.window_ms:
            del hits[next(iter(hits))]
        if len(hits) <= guard.paying_accounts:
            return None
        del self._hits[rule_id]
        rule = GuardedRule(
            rule_id=rule_id,
            guarded_at_ms=at_ms,
            paying_accounts=len(hits),
            window=guard.window,
            policy_version=policy.version,
        )
        event = Event(RULE_GUARDED, OWN_SOURCE, at_ms, at_ms, _encode(rule))
        self._standing.take(0, event)
        return event
