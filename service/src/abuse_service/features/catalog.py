"""The declared features, compiled: which event updates what, and how each is read."""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from abuse_service.cel.program import Kind
from abuse_service.cel.vocabulary import Expression
from abuse_service.errors import PolicyError
from abuse_service.events.content import Content
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import Event
from abuse_service.events.tokens import Tokens
from abuse_service.features.declaration import Aggregate, Declaration, Entity
from abuse_service.features.distinct import HASH_BYTES
from abuse_service.features.reads import EVENT_VOCABULARY, fields_read
from abuse_service.features.rows import LAST_MS
from abuse_service.features.windows import Window, make_window, matters_since_ms

LETTERS = {Entity(kind.name.lower()): kind.value for kind in EntityKind} | {Entity.CLUSTER: EntityKind.USER.value}

_KINDS = {
    Aggregate.COUNT: Kind.INT,
    Aggregate.SUM: Kind.INT,
    Aggregate.DISTINCT: Kind.INT,
    Aggregate.TOP: Kind.STRING,
}

Read = Callable[["Occurrence"], Any]


class Occurrence:
    """An event with its content, as features see it."""

    __slots__ = ("_held", "_values", "at_ms", "content", "event", "is_repeat", "names", "owner", "tokens")

    def __init__(
        self,
        event: Event,
        content: Content | None,
        owner: EntityKey,
        names: tuple[str, ...],
        tokens: Tokens,
        *,
        is_repeat: bool = False,
    ) -> None:
        """``tokens`` make hashes of values.

        ``is_repeat`` where the event was taken for another owner before: what is shared counts it once.
        """
        self.event = event
        self.at_ms = max(0, min(LAST_MS, event.occurred_at_ms))
        self.content = content
        self.owner = owner
        self.is_repeat = is_repeat
        self.names = names
        self.tokens = tokens
        self._values: dict[str, Any] | None = None
        self._held: dict[str, bool] = {}

    def holds(self, condition: Expression) -> bool:
        """Whether the condition holds; features that ask the same of an event share the answer."""
        known = self._held.get(condition.text)
        if known is None:
            known = self._held[condition.text] = condition.holds(self.values) is True
        return known

    @property
    def values(self) -> dict[str, Any]:
        """What CEL reads of the event; built when first asked for."""
        if self._values is None:
            content = self.content
            fields = {name: value for name in self.names if (value := getattr(content, name, None)) is not None}
            facts = self.event.facts
            named = msgspec.structs.asdict(facts) if facts else {}
            self._values = {"event": fields, "facts": named, "event_type": self.event.type}
        return self._values


class Feature:
    """One declared feature, compiled.

    ``base`` names what its state is like. Features that are kept alike share it, and each event then counts once;
    whatever else is declared, it stays what it is. ``key`` is where the state stands in an entity's states: the base,
    and behind it the generation where the state was begun anew (ADR 0013).
    """

    def __init__(self, name: str, declaration: Declaration) -> None:
        """Raises `PolicyError` where the declaration does not hold together."""
        declaration.check(name)
        path = f"features.{name}"
        self.name = name
        self.declaration = declaration
        self.letter = LETTERS[declaration.entity]
        self.is_of_cluster = declaration.entity is Entity.CLUSTER
        self.kind = _KINDS.get(declaration.aggregate, Kind.DOUBLE)
        self._window: Window = self._make_window(declaration.state_key)
        self.key = self.base = self._window.key
        self._absent = self._window.together([self._window.part({}, 0)])
        self._counts_identities = declaration.value == "identity"
        self._is_shared = self.letter != EntityKind.USER.value
        self._where = _condition(declaration.where, f"{path}.where")
        self._value = self._value_reader(declaration, path)

    def _make_window(self, key_of: Callable[[str], str]) -> Window:
        said = self.declaration
        return make_window(said.aggregate, said.window_ms, said.approximate, key_of)

    def bound(self, generation: int) -> "Feature":
        """The same feature over the state of a generation; 0 is the one that was there from the start."""
        one = copy.copy(self)
        ending = f"{generation:x}" if generation else ""
        one._window = self._make_window(lambda kept: self.declaration.state_key(kept) + ending)
        one.key = one._window.key
        return one

    def matters_since_ms(self, now_ms: int) -> int:
        """Events before this instant change nothing that its state says from now on; 0 where all of them count."""
        said = self.declaration
        return matters_since_ms(said.aggregate, said.window_ms, said.approximate, now_ms)

    def _value_reader(self, declaration: Declaration, path: str) -> Read | None:
        if declaration.aggregate is Aggregate.RATIO:
            matching = _condition(declaration.matching, f"{path}.matching")
            return lambda occurrence: 1 if matching is not None and occurrence.holds(matching) else 0
        if declaration.value is None:
            return None
        value = _value(declaration.value, f"{path}.value")
        if declaration.aggregate is Aggregate.DISTINCT:
            return _identity_hash if declaration.value == "identity" else _hashed(value)
        if declaration.aggregate is Aggregate.TOP:
            return _text(value)
        return _whole(value) if declaration.aggregate in (Aggregate.SUM, Aggregate.MEAN) else _fraction(value)

    def _passes_over(self, occurrence: Occurrence) -> bool:
        """Whether it knows the event already by another owner, or counts identities and the owner is none."""
        if self._counts_identities:
            return occurrence.owner[:1] != EntityKind.USER.value
        return occurrence.is_repeat and self._is_shared

    def concerns(self, occurrence: Occurrence) -> bool:
        """Whether the event may change the feature's state."""
        if self._passes_over(occurrence):
            return False
        return self._where is None or occurrence.holds(self._where)

    def update(self, states: dict[str, Any], occurrence: Occurrence) -> None:
        """Take the event into the feature's state, if it is one that the feature reads."""
        if self._passes_over(occurrence):
            return
        if self._where is not None and not occurrence.holds(self._where):
            return
        value = self._value(occurrence) if self._value is not None else 1
        if value is not None:
            self._window.update(states, occurrence.at_ms, value)

    def read(self, states: dict[str, Any], at_ms: int) -> Any:
        """The feature of one entity as of an instant; ``None`` where there is no value."""
        if self.key not in states:
            # As with most features of most entities.
            return self._absent
        window = self._window
        return window.together([window.part(states, at_ms)])

    def read_together(self, members: Iterable[dict[str, Any]], at_ms: int) -> Any:
        """The feature over the events of several entities, as if they were one."""
        window = self._window
        return window.together([window.part(states, at_ms) for states in members] or [window.part({}, at_ms)])


class Catalog:
    """The features of a policy: how each is read, and which of them an event updates."""

    def __init__(self, declarations: Mapping[str, Declaration]) -> None:
        """Raises `PolicyError` where a declaration does not hold together."""
        self._take({name: Feature(name, declaration) for name, declaration in declarations.items()}, ())

    @classmethod
    def of(cls, features: Mapping[str, Feature], beside: Iterable[Feature] = ()) -> "Catalog":
        """These features, to be read and updated, and those ``beside`` them, which are updated only."""
        one = cls.__new__(cls)
        one._take(dict(features), tuple(beside))
        return one

    def _take(self, features: dict[str, Feature], beside: tuple[Feature, ...]) -> None:
        self.features = features
        self._beside = beside
        every = (*features.values(), *beside)
        # Features that share a state share the events it takes: each is taken once.
        self.kept = {feature.base: feature for feature in every}
        _check_keys(every, self.kept)
        self.keys = frozenset(feature.key for feature in self.kept.values())
        self._plan: dict[str, dict[bytes, list[Feature]]] = {}
        by_type: dict[str, list[Declaration]] = {}
        for feature in self.kept.values():
            for event_type in dict.fromkeys(feature.declaration.events):
                self._plan.setdefault(event_type, {}).setdefault(feature.letter, []).append(feature)
                by_type.setdefault(event_type, []).append(feature.declaration)
        self._names = {event_type: _names_read(declarations) for event_type, declarations in by_type.items()}

    def names(self, event_type: str) -> tuple[str, ...]:
        """Fields of an event of this type that some feature reads."""
        return self._names.get(event_type, ())

    def bound(self, generations: Mapping[str, int]) -> "Catalog":
        """The same features over the states of these generations, by base."""
        return Catalog.of(
            {name: feature.bound(generations.get(feature.base, 0)) for name, feature in self.features.items()},
            [feature.bound(generations.get(feature.base, 0)) for feature in self._beside],
        )

    def only(self, bases: Collection[str]) -> "Catalog":
        """Those whose states are named: nothing else is updated then."""
        return Catalog.of({}, [feature for base, feature in self.kept.items() if base in bases])

    def plan(self, event_type: str) -> dict[bytes, list[Feature]]:
        """Which features an event of this type updates, by the letter of their entity's kind."""
        return self._plan.get(event_type, _NO_PLAN)


def _names_read(declarations: Iterable[Declaration]) -> tuple[str, ...]:
    """Fields of events that some expression reads: only these are handed to it."""
    return tuple(sorted(frozenset[str]().union(*map(fields_read, declarations))))


def _check_keys(features: Iterable[Feature], keepers: Mapping[str, Feature]) -> None:
    """Refuse two features whose states would stand in one place by chance (1 in 2**30)."""
    for feature in features:
        if keepers[feature.base].declaration.scope != feature.declaration.scope:
            raise PolicyError("write its where or value another way", path=f"features.{feature.name}")


_NO_PLAN: dict[bytes, list[Feature]] = {}
_LARGEST = 2**62


def _condition(text: str | None, path: str) -> Expression | None:
    return EVENT_VOCABULARY.compile(text, path) if text is not None else None


def _value(text: str, path: str) -> Read:
    """A reader for a value: the usual paths directly, everything else by CEL."""
    if text == "identity":
        return lambda occurrence: int.from_bytes(occurrence.owner[1:8], "big")
    holder, _, name = text.partition(".")
    if holder == "event" and name.isidentifier():
        return lambda occurrence: getattr(occurrence.content, name, None)
    if text == "occurred_at":
        return lambda occurrence: occurrence.event.occurred_at_ms
    expression = EVENT_VOCABULARY.compile(text, path, condition=False)
    return lambda occurrence: expression.read(occurrence.values)


def _whole(read: Read) -> Read:
    """Numbers rounded to whole ones, whose sum is the same in every order; what is no number is absent."""

    def read_whole(occurrence: Occurrence) -> int | None:
        value = read(occurrence)
        if type(value) is int and -_LARGEST < value < _LARGEST:
            return value
        if isinstance(value, float):
            return round(value) if abs(value) < _LARGEST else None
        return int(value) if isinstance(value, int) and abs(value) < _LARGEST else None

    return read_whole


def _fraction(read: Read) -> Read:
    """Numbers as fractions; what is no number is absent."""

    def read_fraction(occurrence: Occurrence) -> float | None:
        value = read(occurrence)
        return float(value) if isinstance(value, int | float) and abs(value) < _LARGEST else None

    return read_fraction


def _hashed(read: Read) -> Read:
    """A hash of the value, spread evenly; what is absent or empty is no value."""

    def read_hash(occurrence: Occurrence) -> bytes | None:
        value = read(occurrence)
        return None if value is None or value == "" else occurrence.tokens.short_of(str(value))

    return read_hash


def _identity_hash(occurrence: Occurrence) -> bytes:
    # An entity's key is a hash already.
    return occurrence.owner[1 : 1 + HASH_BYTES]


def _text(read: Read) -> Read:
    def read_text(occurrence: Occurrence) -> str | None:
        value = read(occurrence)
        return None if value is None or value == "" else str(value)

    return read_text
