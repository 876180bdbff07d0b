"""The log played through several policies at once: what each would have decided, with the values as they were then.

A part of the log is played by itself, over states that hold all that came before it. Parts add up, so that they can be
played side by side.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from abuse_client.contract import CostPayload, ResolvedAction, Verdict
from abuse_service.decisions.decision import Decision, RuleState
from abuse_service.decisions.judge import Judge
from abuse_service.decisions.lists import BLOCKED
from abuse_service.decisions.standing import Standing
from abuse_service.events.content import content_of
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import LIST_CHANGED, OWN_SOURCE, REQUEST_COST_REPORTED, Event, Stored
from abuse_service.identities.facts import is_paying
from abuse_service.policy.links import link_degrees
from abuse_service.policy.policy import Policy
from abuse_service.replay.accounts import SEVERITY, Account, Label, Lot
from abuse_service.replay.past import Past
from abuse_service.replay.retrace import Asked, Retrace
from abuse_service.replay.story import holds_decision, tell

MOST_EXAMPLES = 5
_TOLD_EVERY = 500
_MOST_OPEN = 100_000
"""Requests whose cost is awaited."""
_DAY_MS = 86_400_000
_REFUSING = frozenset({ResolvedAction.BLOCK, ResolvedAction.RATE_LIMIT})
_LABELS = {
    "user.blocked": Label.BLOCKED,
    "stripe.charge.dispute.created": Label.DISPUTED,
    "stripe.charge.dispute.funds_withdrawn": Label.DISPUTED,
    "stripe.radar.early_fraud_warning.created": Label.WARNED,
}
_USER_LETTER = EntityKind.USER.value

Progress = Callable[[int], None]


class Span(msgspec.Struct, frozen=True):
    """Positions from ``first`` up to, not with, ``behind``; of the decisions in it those made in the time count."""

    first: int
    behind: int
    since_ms: int = 0
    until_ms: int = 2**62


class Example(msgspec.Struct, frozen=True):
    """One decision that came out otherwise."""

    request_id: int
    identity_key: str
    decided_at_ms: int
    reasons_before: tuple[str, ...]
    reasons_after: tuple[str, ...]


class Tally(msgspec.Struct):
    """What a part of the log gave. Lists have an entry a policy, the first of them is what the others are held against.

    ``changes`` counts, by policy, decisions by what the first and this one made of them, ``verdicts`` decisions by
    verdict, ``days`` by day decisions and those that were not ALLOW. ``early_costs`` are of requests before the part.
    """

    accounts: dict[EntityKey, Account]
    verdicts: list[Counter[str]]
    changes: list[Counter[tuple[str, str]]]
    examples: list[dict[tuple[str, str], list[Example]]]
    fired: list[Counter[int]]
    alone: list[Counter[int]]
    days: list[dict[str, list[int]]]
    open_requests: dict[int, tuple[EntityKey, int]]
    early_costs: dict[int, int]
    events: int = 0
    decisions: int = 0

    @classmethod
    def of(cls, policies: int) -> "Tally":
        """Nothing yet, for so many policies."""
        each = range(policies)
        return cls(
            accounts={},
            verdicts=[Counter() for _ in each],
            changes=[Counter() for _ in each],
            examples=[{} for _ in each],
            fired=[Counter() for _ in each],
            alone=[Counter() for _ in each],
            days=[{} for _ in each],
            open_requests={},
            early_costs={},
        )


class Contender:
    """One policy at its work, over the lists that all share. Its rules run as they are written: no guard stops one."""

    def __init__(self, policy: Policy, world: Retrace) -> None:
        standing = Standing(world.standing.namer)
        standing.lists = world.standing.lists
        self.policy = policy
        self._world = world
        self._judge = Judge(policy, world.projection, standing, policy.catalog.features)
        self._places = {rule.text.id: place for place, rule in enumerate(policy.rules)}

    def decide(self, asked: Asked, read: dict[str, Any] | None = None) -> Decision | None:
        """What it decides, as if it were enforced. ``read`` is as in `Judge.decide`."""
        asked = msgspec.structs.replace(asked, recorded=msgspec.structs.replace(asked.recorded, is_enforced=True))
        return self._world.decide(self._judge, asked, read=read)

    def fired(self, decision: Decision) -> list[int]:
        """The places of the rules that fired."""
        return [self._places[rule.rule_id] for rule in decision.rules if rule.state is RuleState.FIRED]


def play(past: Past, policies: Sequence[Policy], span: Span, progress: Progress = lambda position: None) -> Tally:
    """Play a part of the log through the policies. Memory grows with the accounts in it, not with its length."""
    with past.world(policies) as world:
        player = _Player(world, policies, span)
        for number, stored in enumerate(tell(past.log)):
            if stored.position >= span.behind and not holds_decision(stored.event):
                break
            if number % _TOLD_EVERY == 0:
                progress(stored.position)
            player.take(stored)
        progress(span.behind)
        return player.tally


class _Player:
    """Folds events, has the policies decide where a decision was asked for, and counts."""

    def __init__(self, world: Retrace, policies: Sequence[Policy], span: Span) -> None:
        self.tally = Tally.of(len(policies))
        self._world = world
        self._span = span
        self._contenders = [Contender(policy, world) for policy in policies]
        self._share_names = _share_names(policies)
        self._first_request = 0

    def take(self, stored: Stored) -> None:
        """Take one event."""
        is_inside = self._span.first <= stored.position < self._span.behind
        for asked in self._world.take(stored):
            self._first_request = self._first_request or (asked.recorded.request_id if is_inside else 0)
            if is_inside and self._span.since_ms <= asked.recorded.decided_at_ms < self._span.until_ms:
                self._judge(stored.position, asked)
        event = stored.event
        if is_inside:
            self.tally.events += 1
            if event.type == REQUEST_COST_REPORTED:
                self._count_cost(event)
            else:
                self._note_label(stored.position, event)

    def _judge(self, position: int, asked: Asked) -> None:
        # What one has read, the others need not read again, as long as they mean the same by each name.
        read: dict[str, Any] | None = {} if self._share_names else None
        found = [contender.decide(asked, read) for contender in self._contenders]
        decided = [decision for decision in found if decision is not None]
        if len(decided) < len(found):
            return
        tally = self.tally
        account = self._account(asked.entity)
        account.decided = account.decided or position
        account.decisions += 1
        state = self._world.projection.identity(asked.entity)
        if state is not None:
            account.is_paying = account.is_paying or is_paying(state.record, self._world.projection.ended)
            account.month = account.month or _month(state.first_seen_ms)
        tally.decisions += 1
        refused = 0
        for place, decision in enumerate(decided):
            if self._count(place, position, decision, decided[0], account):
                refused |= 1 << place
        if refused and asked.is_request and len(tally.open_requests) < _MOST_OPEN:
            tally.open_requests[asked.recorded.request_id] = (asked.entity, refused)

    def _count(self, place: int, position: int, decision: Decision, first: Decision, account: Account) -> bool:
        """Count one policy's decision; whether it refuses the request."""
        tally, contender = self.tally, self._contenders[place]
        tally.verdicts[place][decision.verdict] += 1
        day = tally.days[place].setdefault(_day(decision.decided_at_ms), [0, 0])
        day[0] += 1
        fired = contender.fired(decision)
        tally.fired[place].update(fired)
        if len(fired) == 1:
            tally.alone[place][fired[0]] += 1
        lot = account.lots[place]
        for rule in fired:
            lot.rules |= 1 << rule
        lot.worst = max(lot.worst, SEVERITY[decision.verdict])
        if decision.verdict is not Verdict.ALLOW:
            day[1] += 1
            account.name = decision.identity_key
            if not lot.first:
                lot.first, lot.why = position, decision.reasons[0]
        if decision.verdict is not first.verdict:
            change = (str(first.verdict), str(decision.verdict))
            tally.changes[place][change] += 1
            examples = tally.examples[place].setdefault(change, [])
            if len(examples) < MOST_EXAMPLES:
                examples.append(
                    Example(
                        decision.request_id,
                        decision.identity_key,
                        decision.decided_at_ms,
                        first.reasons,
                        decision.reasons,
                    )
                )
        return decision.action in _REFUSING

    def _count_cost(self, event: Event) -> None:
        content = content_of(event)
        if not isinstance(content, CostPayload):
            return
        cost = content.cost or 0
        if event.identity_entity is not None:
            self._account(event.identity_entity).spent_microdollars += cost
        waited = self.tally.open_requests.pop(content.request_id, None)
        if waited is None:
            is_earlier = not self._first_request or content.request_id < self._first_request
            if is_earlier and len(self.tally.early_costs) < _MOST_OPEN:
                self.tally.early_costs[content.request_id] = cost
            return
        entity, refused = waited
        add_prevented(self._account(entity), refused, cost)

    def _note_label(self, position: int, event: Event) -> None:
        for entity, label in self._labels(event):
            account = self._account(entity)
            if label is None:
                account.cleared = position
            elif label is Label.BLOCKED and self._is_ours(entity):
                account.is_unclear = True
            else:
                account.note_label(position, label)

    def _labels(self, event: Event) -> Iterator[tuple[EntityKey, Label | None]]:
        if event.type == LIST_CHANGED and event.source == OWN_SOURCE:
            said = msgspec.json.decode(event.body)
            for key in event.entities:
                if said["list"] == BLOCKED and key[:1] == _USER_LETTER:
                    yield key, Label.ANALYST if said["change"] == "added" else None
            return
        label = _LABELS.get(event.type)
        if label is None and event.type != "user.unblocked":
            return
        owners = (
            [event.identity_entity]
            if event.identity_entity
            else self._world.projection.states.joins.owners(event.joins)
        )
        for owner in owners:
            if owner[:1] == _USER_LETTER:
                yield owner, label

    def _is_ours(self, entity: EntityKey) -> bool:
        """Whether the service itself had said something against the account: a block that follows proves nothing."""
        state = self._world.projection.identity(entity)
        return state is not None and any(line.verdict != Verdict.ALLOW for line in state.decisions)

    def _account(self, entity: EntityKey) -> Account:
        account = self.tally.accounts.get(entity)
        if account is None:
            account = self.tally.accounts[entity] = Account([Lot() for _ in self._contenders])
        return account


def _share_names(policies: Sequence[Policy]) -> bool:
    """Whether a name means the same in all of them.

    Facts do where lists, and how many may share a thing before it links nobody, are the same; features where they are
    kept alike.
    """
    first, bases = policies[0].document, dict[str, str]()
    for policy in policies:
        document = policy.document
        if document.lists != first.lists or link_degrees(document.thresholds) != link_degrees(first.thresholds):
            return False
        if any(bases.setdefault(name, one.base) != one.base for name, one in policy.catalog.features.items()):
            return False
    return True


def add_prevented(account: Account, refused: int, cost: int) -> None:
    """A request cost something that some policies would have refused."""
    for place, lot in enumerate(account.lots):
        if refused >> place & 1:
            lot.prevented_microdollars += cost


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // _DAY_MS * 86_400, UTC).date().isoformat()


def _month(at_ms: int) -> str:
    return _day(at_ms)[:7]
