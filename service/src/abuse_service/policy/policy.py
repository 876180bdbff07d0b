"""A policy, checked and compiled: laws hold, conditions are typed, cases come out as they say."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from abuse_service.cel.program import Kind
from abuse_service.cel.values import CelError
from abuse_service.cel.vocabulary import Expression, Vocabulary
from abuse_service.errors import PolicyError
from abuse_service.features.catalog import Catalog
from abuse_service.features.reads import check_reads
from abuse_service.policy.document import Document, RuleText, Scalar
from abuse_service.policy.laws import check_laws, check_names
from abuse_service.policy.vocabulary import FACTS

DEFAULT_POLICY = Path(__file__).parent / "default.yaml"

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


class Policy:
    """All rules with what they read. ``version`` names this exact text."""

    def __init__(self, text: str) -> None:
        """Raises `PolicyError` that names the place."""
        self.document = _read(text)
        check_names(self.document)
        self.version = hashlib.sha256(text.encode()).hexdigest()[:12]
        check_reads(self.document.features, self.document.event_types)
        self.catalog = Catalog(self.document.features)
        self.constants = _constants(self.document)
        self.vocabulary = Vocabulary(self._names())
        self.rules = [
            Rule(rule, self.vocabulary, self.constants, f"rules[{index}]")
            for index, rule in enumerate(self.document.rules)
        ]
        self._run = self.vocabulary.together([rule.condition for rule in self.rules]).run
        self.reads = frozenset(name for rule in self.rules for name in rule.reads)
        check_laws(self.document)
        self._run_cases()

    def evaluate(self, values: Mapping[str, Any]) -> list[bool | CelError]:
        """Whether each rule's condition holds under these values, or why it can't be told.

        A value that is absent or ``None`` is unknown. Rules are apart: one that fails changes no other.
        """
        return self._run(values)

    def run(self, values: Mapping[str, Any]) -> list[bool | None]:
        """Whether each rule's condition holds under these values; ``None`` where it can't be told."""
        return [None if isinstance(found, CelError) else found for found in self._run(values)]

    def _names(self) -> dict[str, Kind]:
        names = {name: kind for name, (kind, _) in FACTS.items()}
        names |= {name: feature.kind for name, feature in self.catalog.features.items()}
        for name, value in self.constants.items():
            if isinstance(value, list):
                names[name] = Kind.STRINGS
            else:
                names[name] = Kind.DOUBLE if isinstance(value, float) else Kind.INT
        return names

    def _run_cases(self) -> None:
        for index, rule in enumerate(self.rules):
            for case in rule.text.cases:
                place = f"rules[{index}].cases.{case.name}"
                given = {name: self._typed(name, value, place) for name, value in case.given.items()}
                fired = rule.condition.holds(self._neutral() | given) is True
                if fired != case.fires:
                    raise PolicyError(f"expected {_fires(case.fires)}, found {_fires(fired)}", path=place)

    def _typed(self, name: str, value: Scalar, place: str) -> Scalar:
        """A value that a case gives, as the engine takes it."""
        kind = self.vocabulary.names.get(name)
        if kind is None:
            raise PolicyError(f"unknown name {name}", path=place)
        if name in self.constants:
            raise PolicyError(f"{name} is the policy's own, a case can't give it", path=place)
        if kind is Kind.DOUBLE and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if type(value) is not _PYTHON_TYPES.get(kind):
            raise PolicyError(f"{name} is {kind.value}, found {value!r}", path=place)
        return value

    def _neutral(self) -> dict[str, Any]:
        blank: dict[Kind, Any] = {Kind.BOOL: False, Kind.INT: 0, Kind.DOUBLE: 0.0, Kind.STRING: "", Kind.STRINGS: []}
        return {name: blank[kind] for name, kind in self.vocabulary.names.items()} | self.constants


def load_policy(path: Path | None) -> Policy:
    """The policy in a file, or the one that ships. Raises `PolicyError`."""
    source = path or DEFAULT_POLICY
    try:
        text = source.read_text("utf-8")
    except OSError as error:
        raise PolicyError(f"can't read the policy file: {error.strerror}", path=str(source)) from None
    except UnicodeDecodeError:
        raise PolicyError("can't read the policy file: not UTF-8", path=str(source)) from None
    return Policy(text)


def _read(text: str) -> Document:
    try:
        return msgspec.yaml.decode(text.encode(), type=Document)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        raise PolicyError(message[:1].lower() + message[1:], path=place.strip("`").removeprefix("$.")) from None
    except msgspec.DecodeError as error:
        raise PolicyError(f"not YAML: {error}") from None


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
