"""What a backtest found, in the words and numbers that people and CI read."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from abuse_service.policy.policy import Policy
from abuse_service.replay.accounts import HURT, Account, Label, merge
from abuse_service.replay.backtest import Example, Tally, add_prevented

_Z = 1.959963984540054
"""Of the normal distribution, for intervals of 95 %."""
MOST_ACCOUNTS = 20
_MOST_OVERLAPS = 3


class Share(msgspec.Struct, frozen=True):
    """A share with its 95 % interval (Wilson 1927); ``None`` of nothing."""

    count: int
    of: int
    value: float | None
    low: float | None
    high: float | None


class Named(msgspec.Struct, frozen=True):
    """An account that one policy hits and the other spares, with the weightiest reason and what others say of it."""

    identity_key: str
    why: str
    label: Label | None
    is_paying: bool
    spent_microdollars: int


class RuleFound(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule did: decisions in which it fired, those in which it was the only one, and accounts alike.

    ``overlaps`` are the rules that hit most of the same accounts.
    """

    rule_id: str
    decisions: int
    decisions_alone: int
    accounts: int
    accounts_alone: int
    abusive_accounts: int
    overlaps: dict[str, int]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that came out otherwise in one way."""

    before: str
    after: str
    decisions: int
    examples: list[Example]


class Part(msgspec.Struct, frozen=True):
    """A day, or the accounts that were first seen in one month."""

    name: str
    of: int
    hit: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy would have done.

    ``hit`` are accounts with a verdict other than ALLOW. ``precision`` is the share of them that was labelled later,
    ``recall`` the share of the labelled ones that was hit before, ``honest_hurt`` the share of those nobody labelled
    that was refused something (SOFT_BLOCK or worse), ``paying_hurt`` the same of paying ones. ``spend_prevented`` is
    the share of what labelled accounts spent that it would have refused. Against the first policy: ``changed``
    decisions, accounts ``newly_hit`` and ``newly_spared``.
    """

    name: str
    version: str
    title: str
    verdicts: dict[str, int]
    hit: int
    precision: Share
    recall: Share
    honest_hurt: Share
    paying_hurt: Share
    spend_prevented: float | None
    honest_refused_microdollars: int
    changed: int
    changes: list[Change]
    newly_hit: int
    newly_spared: int
    newly_hit_accounts: list[Named]
    newly_spared_accounts: list[Named]
    rules: list[RuleFound]
    days: list[Part]
    months: list[Part]

    def figures(self) -> dict[str, float]:
        """The numbers that a condition may name; of what there was nothing, 0."""
        shares = {
            name: getattr(self, name).value or 0.0 for name in ("precision", "recall", "honest_hurt", "paying_hurt")
        }
        counts = {name: float(getattr(self, name)) for name in ("hit", "changed", "newly_hit", "newly_spared")}
        return shares | counts | {"spend_prevented": self.spend_prevented or 0.0}


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """A whole backtest. ``labels`` counts the accounts that were labelled, by whom; ``known_before`` are left out.

    ``unclear`` ones were blocked by the cloud after a verdict of ours: they count as neither.
    """

    events: int
    decisions: int
    accounts: int
    labels: dict[str, int]
    known_before: int
    unclear: int
    policies: list[Found]


def find(tallies: Sequence[Tally], policies: Sequence[Policy], names: Sequence[str]) -> Findings:
    """What parts of the log, in its order, gave together."""
    whole = _together(tallies, len(policies))
    decided = [account for account in whole.accounts.values() if account.decided]
    judged = [account for account in decided if not account.was_known]
    labels = Counter(str(account.label) for account in judged if account.is_abusive)
    return Findings(
        events=whole.events,
        decisions=whole.decisions,
        accounts=len(decided),
        labels=dict(sorted(labels.items())),
        known_before=len(decided) - len(judged),
        unclear=sum(account.is_unclear and not account.is_abusive for account in judged),
        policies=[
            _found(place, policy, name, whole, judged)
            for place, (policy, name) in enumerate(zip(policies, names, strict=True))
        ],
    )


def share(count: int, of: int) -> Share:
    """A share with its interval."""
    if not of:
        return Share(count, of, None, None, None)
    return Share(count, of, count / of, *interval(count, of))


def interval(count: int, of: int) -> tuple[float, float]:
    """Lower and upper bound of a share, 95 % (Wilson 1927, which holds near 0 and 1); of nothing from 0 to 1."""
    if not of:
        return 0.0, 1.0
    part = count / of
    centre = part + _Z**2 / (2 * of)
    reach = _Z * math.sqrt(part * (1 - part) / of + _Z**2 / (4 * of**2))
    scale = 1 + _Z**2 / of
    # Exact at the ends, where rounding would leave a trace.
    low = 0.0 if count == 0 else (centre - reach) / scale
    high = 1.0 if count == of else (centre + reach) / scale
    return low, high


def _together(tallies: Sequence[Tally], policies: int) -> Tally:
    whole = Tally.of(policies)
    whole.accounts = merge(tally.accounts for tally in tallies)
    for number, tally in enumerate(tallies):
        whole.events += tally.events
        whole.decisions += tally.decisions
        for name in ("verdicts", "changes", "fired", "alone"):
            for mine, theirs in zip(getattr(whole, name), getattr(tally, name), strict=True):
                mine.update(theirs)
        for mine, theirs in zip(whole.days, tally.days, strict=True):
            for day, counts in theirs.items():
                known = mine.setdefault(day, [0, 0])
                mine[day] = [one + other for one, other in zip(known, counts, strict=True)]
        for mine, theirs in zip(whole.examples, tally.examples, strict=True):
            for change, examples in theirs.items():
                mine.setdefault(change, []).extend(examples)
        for later in tallies[number + 1 :]:
            # What a request cost may be told in a later part than the one that decided on it.
            for request_id in tally.open_requests.keys() & later.early_costs.keys():
                entity, refused = tally.open_requests[request_id]
                add_prevented(whole.accounts[entity], refused, later.early_costs[request_id])
    return whole


def _found(place: int, policy: Policy, name: str, whole: Tally, judged: list[Account]) -> Found:
    hit = [account for account in judged if account.lots[place].first]
    clear = [account for account in hit if account.is_abusive or account.is_honest]
    abusive = [account for account in judged if account.is_abusive]
    honest = [account for account in judged if account.is_honest]
    paying = [account for account in honest if account.is_paying]
    spent = sum(account.spent_microdollars for account in abusive)
    prevented = sum(account.lots[place].prevented_microdollars for account in abusive)
    newly_hit = [one for one in judged if one.lots[place].first and not one.lots[0].first]
    newly_spared = [one for one in judged if one.lots[0].first and not one.lots[place].first]
    return Found(
        name=name,
        version=policy.version,
        title=policy.document.title,
        verdicts=dict(whole.verdicts[place].most_common()),
        hit=len(hit),
        precision=share(sum(one.is_abusive for one in clear), len(clear)),
        recall=share(sum(0 < one.lots[place].first < one.labelled for one in abusive), len(abusive)),
        honest_hurt=share(_hurt(honest, place), len(honest)),
        paying_hurt=share(_hurt(paying, place), len(paying)),
        spend_prevented=prevented / spent if spent else None,
        honest_refused_microdollars=sum(one.lots[place].prevented_microdollars for one in honest),
        changed=whole.changes[place].total(),
        changes=_changes(place, whole),
        newly_hit=len(newly_hit),
        newly_spared=len(newly_spared),
        newly_hit_accounts=[_named(one, place) for one in _worst_first(newly_hit, place)],
        newly_spared_accounts=[_named(one, 0) for one in _worst_first(newly_spared, 0)],
        rules=_rules(place, policy, whole, judged),
        days=[Part(day, *counts) for day, counts in sorted(whole.days[place].items())],
        months=_parts(judged, place, lambda account: account.month),
    )


def _hurt(accounts: Iterable[Account], place: int) -> int:
    return sum(account.lots[place].worst >= HURT for account in accounts)


def _worst_first(accounts: list[Account], place: int) -> list[Account]:
    ordered = sorted(accounts, key=lambda one: (-one.lots[place].worst, -one.spent_microdollars, one.name))
    return ordered[:MOST_ACCOUNTS]


def _named(account: Account, place: int) -> Named:
    label = account.label if account.is_abusive else None
    return Named(account.name, account.lots[place].why, label, account.is_paying, account.spent_microdollars)


def _changes(place: int, whole: Tally) -> list[Change]:
    return [
        Change(before=change[0], after=change[1], decisions=count, examples=whole.examples[place].get(change, []))
        for change, count in whole.changes[place].most_common()
    ]


def _rules(place: int, policy: Policy, whole: Tally, judged: list[Account]) -> list[RuleFound]:
    names = [rule.text.id for rule in policy.rules]
    found = []
    for number, rule_id in enumerate(names):
        bit = 1 << number
        theirs = [one for one in judged if one.lots[place].rules & bit]
        if not theirs and not whole.fired[place][number]:
            continue
        overlaps = Counter(
            names[other]
            for one in theirs
            for other in range(len(names))
            if other != number and one.lots[place].rules >> other & 1
        )
        found.append(
            RuleFound(
                rule_id=rule_id,
                decisions=whole.fired[place][number],
                decisions_alone=whole.alone[place][number],
                accounts=len(theirs),
                accounts_alone=sum(one.lots[place].rules == bit for one in theirs),
                abusive_accounts=sum(one.is_abusive for one in theirs),
                overlaps=dict(overlaps.most_common(_MOST_OVERLAPS)),
            )
        )
    return sorted(found, key=lambda rule: (-rule.accounts, rule.rule_id))


def _parts(judged: list[Account], place: int, part_of: Callable[[Account], str]) -> list[Part]:
    every, hit = Counter(map(part_of, judged)), Counter(part_of(one) for one in judged if one.lots[place].first)
    return [Part(name, count, hit[name]) for name, count in sorted(every.items())]
