"""Figures of detection quality, and how sure they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from abuse_client.contract import Verdict
from abuse_lab.quality.play import Course
from abuse_service.replay.findings import interval

_HURTING = frozenset({Verdict.SOFT_BLOCK, Verdict.HARD_BLOCK})


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of counted accounts with its 95 % interval (Wilson's, which holds near 0 and 1)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return interval(self.hits, self.of)

    def told(self) -> dict[str, object]:
        """As JSON says it."""
        low, high = self.interval
        return {"value": round(self.value, 5), "low": round(low, 5), "high": round(high, 5), "of": self.of}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What became of some accounts.

    ``hurt`` counts a verdict that blocks, and a request that the action beside a challenge refused.
    ``until_requests`` and ``until_microdollars`` are medians over the caught ones, of what was proxied before the first
    verdict other than ALLOW. ``prevented`` is the share of asked-for cost that was never spent.
    """

    accounts: int
    caught: Share
    challenged: Share
    hurt: Share
    until_requests: float | None
    until_microdollars: float | None
    asked_microdollars: int
    spent_microdollars: int

    @property
    def prevented(self) -> float | None:
        """Share of the cost that was prevented; nothing where there was no cost."""
        if not self.asked_microdollars:
            return None
        return 1.0 - self.spent_microdollars / self.asked_microdollars

    def told(self) -> dict[str, object]:
        """As JSON says it."""
        return {
            "accounts": self.accounts,
            "caught": self.caught.told(),
            "challenged": self.challenged.told(),
            "hurt": self.hurt.told(),
            "median_requests_until_caught": self.until_requests,
            "median_microdollars_until_caught": self.until_microdollars,
            "asked_microdollars": self.asked_microdollars,
            "spent_microdollars": self.spent_microdollars,
            "spend_prevented": None if self.prevented is None else round(self.prevented, 5),
        }


def measure(courses: Sequence[Course]) -> Figures:
    """The figures of some accounts together."""
    caught = [course for course in courses if course.is_caught]
    hurt = [course for course in courses if course.gravest in _HURTING or course.is_refused]
    challenged = [course for course in courses if course.gravest is Verdict.CHALLENGE and not course.is_refused]
    return Figures(
        accounts=len(courses),
        caught=Share(hits=len(caught), of=len(courses)),
        challenged=Share(hits=len(challenged), of=len(courses)),
        hurt=Share(hits=len(hurt), of=len(courses)),
        until_requests=median(course.until_requests for course in caught) if caught else None,
        until_microdollars=median(course.until_microdollars for course in caught) if caught else None,
        asked_microdollars=sum(course.asked_microdollars for course in courses),
        spent_microdollars=sum(course.spent_microdollars for course in courses),
    )


def by_pattern(courses: Iterable[Course]) -> dict[str, list[Course]]:
    """The accounts of each pattern, in the order in which patterns came."""
    found: dict[str, list[Course]] = {}
    for course in courses:
        found.setdefault(course.account.pattern, []).append(course)
    return found


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The three figures that the service is held to."""

    recall: float
    honest_hurt: float
    spend_prevented: float

    def told(self) -> dict[str, float]:
        """As JSON says it."""
        return {
            "recall": round(self.recall, 5),
            "honest_hurt": round(self.honest_hurt, 5),
            "spend_prevented": round(self.spend_prevented, 5),
        }


def summarize(courses: Sequence[Course]) -> Summary:
    """The three figures over some accounts, abusive and honest ones mixed."""
    abusive = measure([course for course in courses if course.account.is_abusive])
    honest = measure([course for course in courses if not course.account.is_abusive])
    return Summary(recall=abusive.caught.value, honest_hurt=honest.hurt.value, spend_prevented=abusive.prevented or 0.0)
