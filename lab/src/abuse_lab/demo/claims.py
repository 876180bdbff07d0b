"""What the demonstration claims, each claim held against what the service said."""

from collections.abc import Iterator
from dataclasses import dataclass

from abuse_client.contract import EVENT_CLASSES, Verdict
from abuse_lab.demo.sight import UNKNOWN_TYPE, AccountSight, Sight

_HELD_BACK = frozenset({Verdict.CHALLENGE, Verdict.SOFT_BLOCK, Verdict.HARD_BLOCK})


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a role of the story must come to: one of the verdicts, and a signal among those that fired."""

    verdicts: frozenset[Verdict]
    signal: str | None = None


DEMANDS = {
    "blocked": Demand(verdicts=frozenset({Verdict.HARD_BLOCK}), signal="known_abuser"),
    "disputed": Demand(verdicts=_HELD_BACK, signal="known_abuser"),
    "same_device": Demand(verdicts=_HELD_BACK, signal="known_abuser"),
    "drained": Demand(verdicts=_HELD_BACK, signal="free_tier_exhausted"),
    "honest": Demand(verdicts=frozenset({Verdict.ALLOW})),
    "pardoned": Demand(verdicts=frozenset({Verdict.ALLOW})),
}


def complaints(sight: Sight) -> list[str]:
    """Whatever is not so, one sentence each; empty when all claims hold."""
    return [*_counts(sight), *_unknown(sight), *_verdicts(sight), *_reasons(sight)]


def _counts(sight: Sight) -> Iterator[str]:
    for kind in EVENT_CLASSES:
        if not sight.received.get(kind):
            yield f"no {kind} arrived"
    for kind, number in sight.reported.items():
        received = sight.received.get(kind, 0)
        if received != number:
            yield f"{kind}: the cloud reported {number}, the service counts {received}"


def _unknown(sight: Sight) -> Iterator[str]:
    answer, kept = sight.unknown.answer, sight.unknown.kept
    if answer.get("accepted") != 1 or answer.get("unknown_types") != [UNKNOWN_TYPE]:
        yield f"an unknown type was answered by {dict(answer)}"
    if kept is None or kept.type != UNKNOWN_TYPE:
        yield "an event of an unknown type is not in the log"


def _verdicts(sight: Sight) -> Iterator[str]:
    for role, demand in DEMANDS.items():
        seen = sight.account(role)
        if not seen.page.decisions:
            yield f"{role}: no decision"
        elif Verdict(seen.line.verdict) not in demand.verdicts:
            yield f"{role}: found {seen.line.verdict}, expected {' or '.join(sorted(demand.verdicts))}"
        elif demand.signal and demand.signal not in seen.line.signals:
            yield f"{role}: found signals {seen.line.signals}, expected {demand.signal} among them"


def _reasons(sight: Sight) -> Iterator[str]:
    for seen in sight.accounts:
        yield from _reasons_of(seen)


def _reasons_of(seen: AccountSight) -> Iterator[str]:
    for line, decision in zip(seen.page.decisions, seen.decisions, strict=True):
        if not any(reason.strip() for reason in decision.reasons):
            yield f"{seen.account.role}: decision {line.request_id} has no reasons"
        if (decision.identity_key, decision.verdict) != (seen.page.identity_key, line.verdict):
            yield f"{seen.account.role}: decision {line.request_id} reads otherwise on the account's page"
