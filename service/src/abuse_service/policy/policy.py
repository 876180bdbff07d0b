"""A policy, checked and compiled: laws hold, conditions are typed, cases come out as they say."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from abuse_service.cel.program import Kind
from abuse_service.cel.values import CelError
from abuse_service.cel.vocabulary import Expression, Vocabulary
from abuse_service.errors import PolicyError
from abuse_service.events.entity import EntityKind
from abuse_service.features.catalog import Catalog
from abuse_service.features.declaration import Declaration
from abuse_service.features.reads import check_reads
from abuse_service.policy.book import version_of
from abuse_service.policy.document import Case, Document, Mode, RuleText, Scalar, TrustText
from abuse_service.policy.laws import check_laws, check_names, check_used
from abuse_service.policy.places import explain_shape, locate
from abuse_service.policy.reach import check_reach
from abuse_service.policy.source import DEFAULT_POLICY, Source, read_source
from abuse_service.policy.vocabulary import COSTS, FACTS, OWN_LISTS

__all__ = ["DEFAULT_POLICY", "CaseOutcome", "Policy", "Rule", "load_policy", "read_document"]

_PYTHON_TYPES = {Kind.BOOL: bool, Kind.INT: int, Kind.STRING: str}
_PLACES = re.compile(r"\{([^{}]+)\}")


class Rule:
    """One rule, compiled; ``reads`` are the names that its condition and its reason use."""

    def __init__(self, text: RuleText, vocabulary: Vocabulary, constants: dict[str, Any], place: str) -> None:
        self.text = text
        self.condition: Expression = vocabulary.compile(text.when, f"{place}.when", constants=constants)
        self.reason_names = tuple(_PLACES.findall(text.reason))
        for name in self.reason_names:
            if name not in vocabulary.names:
                raise PolicyError(f"unknown name {{{name}}}", path=f"{place}.reason")
        self.reads = tuple(dict.fromkeys((*self.condition.reads, *self.reason_names)))

    def explain(self, values: dict[str, Any]) -> str:
        """The reason as a sentence, its values filled in."""
        return _PLACES.sub(lambda place: _show(place[1], values.get(place[1])), self.text.reason)


class Trust:
    """One reason to trust, compiled."""

    def __init__(self, text: TrustText, vocabulary: Vocabulary, constants: dict[str, Any], place: str) -> None:
        self.text = text
        self.condition = vocabulary.compile(text.when, f"{place}.when", constants=constants)
        self.reads = self.condition.reads


class CaseOutcome(msgspec.Struct, frozen=True):
    """A case, and what became of it."""

    rule_id: str
    case: Case
    place: str
    fired: bool

    @property
    def is_as_said(self) -> bool:
        """Whether the rule did what its case says."""
        return self.fired == self.case.fires


class Policy:
    """All rules with what they read. ``version`` names this exact text, ``rules`` are those of ``every`` that run."""

    def __init__(
        self, text: str, file: str = "policy.yaml", *, source: Source | None = None, must_pass: bool = True
    ) -> None:
        """Raises `PolicyError` that shows the place in ``file``, or in the file of ``source`` that it stands in.

        Without ``must_pass`` a case may come out otherwise.
        """
        self.text = text
        try:
            self._build(text)
            for outcome in self.try_cases() if must_pass else ():
                if not outcome.is_as_said:
                    said, found = _fires(outcome.case.fires), _fires(outcome.fired)
                    raise PolicyError(f"expected {said}, found {found}", path=outcome.place)
        except PolicyError as error:
            raise (source.located(error) if source else locate(error, text, file)) from None

    def _build(self, text: str) -> None:
        self.document = read_document(text)
        check_names(self.document)
        self.version = version_of(text)
        check_reads(self.document.features, self.document.event_types)
        self.catalog = Catalog(self.document.features)
        self.constants = _constants(self.document)
        self.vocabulary = Vocabulary(self._names())
        every = [
            Rule(rule, self.vocabulary, self.constants, f"rules[{index}]")
            for index, rule in enumerate(self.document.rules)
        ]
        self.trust: list[Trust] = [
            Trust(trust, self.vocabulary, self.constants, f"trust[{index}]")
            for index, trust in enumerate(self.document.trust)
        ]
        self.rules = [rule for rule in every if rule.text.mode is not Mode.OFF]
        conditions = [rule.condition for rule in self.rules]
        trusting, costs = [trust.condition for trust in self.trust], self._costs()
        self._run = self.vocabulary.together(conditions + trusting).run
        self._ask_rules = self.vocabulary.lazily(conditions, costs).run
        self._ask_trust = self.vocabulary.lazily(trusting, costs).run
        reads = [one.reads for one in self.rules] + [one.reads for one in self.trust]
        self.reads = frozenset(itertools.chain.from_iterable(reads))
        check_laws(self.document)
        resting = [one.reads for one in every if one.text.mode is Mode.OFF]
        check_used(self.document, set(self.reads.union(*resting)))
        check_reach("rules", [rule.condition for rule in every], self.document.features)
        check_reach("trust", [trust.condition for trust in self.trust], self.document.features)
        self.every = every

    def evaluate(self, values: Mapping[str, Any]) -> tuple[list[bool | CelError], list[bool | CelError]]:
        """Whether the condition of each of `rules` and of `trust` holds under these values, or why it can't be told.

        A value that is absent or ``None`` is unknown. Rules are apart: one that fails changes no other.
        """
        found = self._run(values)
        return found[: len(self.rules)], found[len(self.rules) :]

    def ask_rules(self, values: Mapping[str, Any]) -> list[bool | CelError]:
        """The same of `rules`, where reading costs: ``values`` are asked only for what decides, the cheapest first.

        They give for each name what `abuse_service.cel.program.fit` makes of a value.
        """
        return self._ask_rules(values)

    def ask_trust(self, values: Mapping[str, Any]) -> list[bool | CelError]:
        """The same of `trust`."""
        return self._ask_trust(values)

    def _costs(self) -> dict[str, int]:
        """What it costs to read each name, roughly, in reads of one field."""
        costs = {name: COSTS.get(name, 1) for name in FACTS}
        for name, feature in self.catalog.features.items():
            own = 10 if feature.letter == EntityKind.USER.value else 20
            costs[name] = 50 if feature.is_of_cluster else own
        return costs

    def _names(self) -> dict[str, Kind]:
        names = {name: kind for name, (kind, _) in FACTS.items()}
        names |= {name: feature.kind for name, feature in self.catalog.features.items()}
        names |= {f"listed.{name}": Kind.BOOL for name in (*OWN_LISTS, *self.document.lists)}
        for name, value in self.constants.items():
            if isinstance(value, list):
                names[name] = Kind.STRINGS
            else:
                names[name] = Kind.DOUBLE if isinstance(value, float) else Kind.INT
        return names

    def try_cases(self) -> Iterator[CaseOutcome]:
        """Run every case of every rule. Raises `PolicyError` for one that gives what there is not."""
        for index, rule in enumerate(self.every):
            for case in rule.text.cases:
                place = f"rules[{index}].cases.{case.name}"
                given = {name: self._typed(name, value, f"{place}.given") for name, value in case.given.items()}
                fired = rule.condition.holds(self._neutral() | given) is True
                yield CaseOutcome(rule.text.id, case, place, fired)

    def _typed(self, name: str, value: Scalar, place: str) -> Scalar:
        """A value that a case gives, as the engine takes it."""
        kind = self.vocabulary.names.get(name)
        if kind is None:
            raise PolicyError(f"unknown name {name}", path=place)
        if name in self.constants:
            raise PolicyError(f"{name} is the policy's own, a case can't give it", path=place)
        if value is None:
            return None
        if kind is Kind.DOUBLE and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if type(value) is not _PYTHON_TYPES.get(kind):
            raise PolicyError(f"{name} is {kind.value}, found {value!r}", path=place)
        return value

    def _neutral(self) -> dict[str, Any]:
        blank: dict[Kind, Any] = {Kind.BOOL: False, Kind.INT: 0, Kind.DOUBLE: 0.0, Kind.STRING: "", Kind.STRINGS: []}
        return {name: blank[kind] for name, kind in self.vocabulary.names.items()} | self.constants


def load_policy(path: Path | None) -> Policy:
    """The policy in a file or a folder, or the one that ships. Raises `PolicyError`."""
    source = read_source(path)
    return Policy(source.text, source=source)


def read_document(text: str) -> Document:
    """The policy as it is written, not checked. Raises `PolicyError`."""
    try:
        return msgspec.yaml.decode(text.encode(), type=Document)
    except msgspec.ValidationError as error:
        message, path = _shape_error(error)
        if "[...]" in path:
            message, path = _find_entry(text) or (message, path)
        raise PolicyError(explain_shape(message, path), path=path) from None
    except msgspec.DecodeError as error:
        raise PolicyError(f"not YAML: {str(error).splitlines()[0]}", path="") from None


def _shape_error(error: msgspec.ValidationError) -> tuple[str, str]:
    message, _, place = str(error).partition(" - at ")
    return message, place.strip("`").removeprefix("$").removeprefix(".")


def _find_entry(text: str) -> tuple[str, str] | None:
    """Which of the features has the wrong shape: the decoder says no names of a map's entries."""
    for name, said in msgspec.yaml.decode(text.encode()).get("features", {}).items():
        try:
            msgspec.convert(said, Declaration)
        except msgspec.ValidationError as error:
            message, path = _shape_error(error)
            return message, f"features.{name}.{path}".rstrip(".")
    return None


def _constants(document: Document) -> dict[str, Any]:
    thresholds = {f"threshold.{name}": value for name, value in document.thresholds.items()}
    return thresholds | {f"list.{name}": list(values) for name, values in document.lists.items()}


def _fires(fires: bool) -> str:
    return "the rule to fire" if fires else "the rule to stay silent"


def _show(name: str, value: Any) -> str:
    if value is None:
        return "unknown"
    if name.endswith("_microdollars"):
        return f"{value / 1_000_000:.2f} USD"
    return f"{value:.2f}" if isinstance(value, float) else str(value)
