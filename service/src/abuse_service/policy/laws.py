"""Laws that every policy keeps, each refused at its place."""

import re

from abuse_client.contract import ResolvedAction, Verdict
from abuse_service.errors import PolicyError
from abuse_service.features.declaration import Aggregate, Entity
from abuse_service.policy.document import Document, Evidence, RuleText
from abuse_service.policy.entries import check_entries
from abuse_service.policy.guard import check_guard
from abuse_service.policy.links import LINK_THRESHOLDS, check_links
from abuse_service.policy.prices import RESERVATION_THRESHOLDS, check_prices
from abuse_service.policy.vocabulary import FACTS, OWN_LISTS, REQUIRED_FEATURES

_AGREEING = {
    Verdict.ALLOW: (None, ResolvedAction.NOTHING, ResolvedAction.LOG),
    Verdict.CHALLENGE: (ResolvedAction.LOG, ResolvedAction.RATE_LIMIT, ResolvedAction.QUARANTINE_1),
    Verdict.SOFT_BLOCK: (
        ResolvedAction.RATE_LIMIT,
        ResolvedAction.QUARANTINE_1,
        ResolvedAction.QUARANTINE_2,
        ResolvedAction.QUARANTINE_3,
    ),
    Verdict.HARD_BLOCK: (ResolvedAction.BLOCK,),
}
_THROTTLES = (ResolvedAction.RATE_LIMIT, ResolvedAction.QUARANTINE_1)
_READ_BY_ITSELF = frozenset(
    {"trusted_identities", *OWN_LISTS, *REQUIRED_FEATURES, *RESERVATION_THRESHOLDS, *LINK_THRESHOLDS}
)
"""Names that the service reads without a rule."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# First parts of the names of facts and constants, and words of CEL: a feature under one of them could not be read.
_TAKEN = {name.split(".")[0] for name in FACTS} | {
    "threshold",
    "list",
    "listed",
    "true",
    "false",
    "null",
    "in",
    "has",
    "size",
}
_TAKEN |= {
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "map",
    "type",
    "dyn",
    "null_type",
    "timestamp",
    "duration",
}


def check_names(document: Document) -> None:
    """Refuse names that a condition could not read. Raises `PolicyError` that names the place."""
    for section, names in (
        ("thresholds", document.thresholds),
        ("lists", document.lists),
        ("features", document.features),
    ):
        for name in names:
            if not _NAME.fullmatch(name):
                raise PolicyError("expected a name of small letters, digits and _", path=f"{section}.{name}")
            if section == "features" and name in _TAKEN:
                raise PolicyError("this name means something else in a condition", path=f"{section}.{name}")


def check_laws(document: Document) -> None:
    """Refuse rules that contradict themselves or each other. Raises `PolicyError` that names the place."""
    for name in REQUIRED_FEATURES:
        said = document.features.get(name)
        if said is None:
            raise PolicyError(f"every policy declares the feature {name}", path="features")
        if said.entity is not Entity.USER or said.aggregate not in (Aggregate.COUNT, Aggregate.SUM):
            raise PolicyError(
                "expected a count or a sum of the user's, for each answer says it", path=f"features.{name}"
            )
    check_entries(document.lists)
    check_guard(document.guard, {rule.id for rule in document.rules})
    check_prices(document.prices, document.thresholds)
    check_links(document.thresholds)
    if not 0 < document.outcome.challenge_at <= 1:
        raise PolicyError("expected a risk above 0, at most 1", path="outcome.challenge_at")
    for index, trust in enumerate(document.trust):
        if not 0 < trust.weight < 1:
            raise PolicyError("expected a weight above 0 and below 1", path=f"trust[{index}].weight")
        if trust.id in [other.id for other in document.trust[:index]]:
            raise PolicyError(f"a second reason with the id {trust.id}", path=f"trust[{index}].id")
    seen: set[str] = set()
    for index, rule in enumerate(document.rules):
        place = f"rules[{index}]"
        if rule.id in seen:
            raise PolicyError(f"a second rule with the id {rule.id}", path=f"{place}.id")
        seen.add(rule.id)
        if not 0 <= rule.weight <= 1:
            raise PolicyError("expected a weight from 0 to 1", path=f"{place}.weight")
        if rule.action not in _AGREEING[rule.verdict]:
            allowed = ", ".join(str(action) if action else "none" for action in _AGREEING[rule.verdict])
            raise PolicyError(f"{rule.verdict} goes with one of: {allowed}", path=f"{place}.action")
        _check_evidence(rule, place)
        if rule.verdict is Verdict.CHALLENGE and rule.challenge_type is None:
            raise PolicyError("CHALLENGE needs a challenge_type", path=f"{place}.challenge_type")
        if rule.challenge_type is not None and rule.verdict is not Verdict.CHALLENGE:
            raise PolicyError("only CHALLENGE has a challenge_type", path=f"{place}.challenge_type")
        if rule.model_override is not None and rule.verdict is not Verdict.SOFT_BLOCK:
            raise PolicyError("only SOFT_BLOCK has a model_override", path=f"{place}.model_override")
        if rule.retry_after_seconds is not None and (rule.verdict is Verdict.ALLOW or rule.retry_after_seconds < 1):
            raise PolicyError(
                "expected 1 or more, beside a verdict other than ALLOW", path=f"{place}.retry_after_seconds"
            )


def check_used(document: Document, read: set[str]) -> None:
    """Refuse what no rule and no trust reads: a slip, or a leftover. Raises `PolicyError` that names the place."""
    for section, prefix, names in (
        ("thresholds", "threshold.", document.thresholds),
        ("lists", "list.", document.lists),
        ("features", "", document.features),
    ):
        for name in names:
            is_listed = section == "lists" and f"listed.{name}" in read
            if prefix + name not in read and name not in _READ_BY_ITSELF and not is_listed:
                raise PolicyError(f"no rule reads {prefix}{name}", path=f"{section}.{name}")


def _check_evidence(rule: RuleText, place: str) -> None:
    """A hard action needs more than weak evidence; weak evidence reaches a challenge or a throttle at most."""
    if rule.evidence is not Evidence.WEAK:
        return
    if rule.verdict is Verdict.HARD_BLOCK:
        raise PolicyError("HARD_BLOCK needs strong or confirmed evidence", path=f"{place}.evidence")
    if rule.verdict is Verdict.SOFT_BLOCK and rule.action not in _THROTTLES:
        raise PolicyError(f"{rule.action} needs strong or confirmed evidence", path=f"{place}.evidence")
