"""The values of one decision, each read when a rule first asks for it: what no rule needs costs nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from abuse_service.cel.program import TYPES, Kind, fit
from abuse_service.cel.values import Unknown
from abuse_service.decisions.lists import canonical
from abuse_service.decisions.values import READERS, Situation
from abuse_service.events.entity import STRONG_KINDS, EntityKey
from abuse_service.features.catalog import Feature
from abuse_service.features.projection import Projection
from abuse_service.identities.state import IdentityState
from abuse_service.policy.policy import Policy
from abuse_service.telemetry import log

Read = Callable[[Situation], Any]

_MOST_LINKED = 4


class Values(dict[str, Any]):
    """What was read so far, by name. A value that fails to be read is unknown and degrades the decision."""

    __slots__ = ("_degraded", "_has_unknown", "_readers", "_situation")

    def __init__(
        self, readers: "Readers", situation: Situation, degraded: list[str], doubts: Mapping[str, int]
    ) -> None:
        """Features whose bases are in ``doubts`` are unknown before the instant named there (ADR 0013)."""
        super().__init__()
        self._readers = readers.by_name
        self._situation = situation
        self._degraded = degraded
        self._has_unknown = False
        for base, complete_since_ms in doubts.items():
            if situation.at_ms < complete_since_ms:
                for name in readers.by_base.get(base, ()):
                    self._keep(name, None)

    def __missing__(self, name: str) -> Any:
        read, _, fitting = self._readers[name]
        try:
            value = read(self._situation)
        except Exception:
            note_failure(name, self._degraded)
            value = None
        if type(value) is fitting:
            self[name] = value
            return value
        return self._keep(name, value)

    def _keep(self, name: str, value: Any) -> Any:
        value = self[name] = fit(name, self._readers[name][1], value)
        self._has_unknown = self._has_unknown or type(value) is Unknown
        return value

    def take(self, read: Mapping[str, Any]) -> None:
        """Take values that were read of the same situation, by names that mean the same here."""
        self.update(read)
        self._has_unknown = True

    def told(self) -> dict[str, Any]:
        """What was read, ``None`` where it is unknown."""
        if not self._has_unknown:
            return dict(self)
        return {name: None if type(value) is Unknown else value for name, value in self.items()}

    def known(self, name: str) -> Any:
        """One value, ``None`` where it is unknown."""
        value = self[name]
        return None if type(value) is Unknown else value


class Readers:
    """How each name that a policy's rules read is read: facts, features, and what stands in lists."""

    def __init__(self, policy: Policy, features: Mapping[str, Feature], projection: Projection) -> None:
        names = policy.reads | {"requests_1m", "spend_1h_microdollars"}
        readers: dict[str, Read] = {name: READERS[name] for name in names & READERS.keys()}
        self.features = {name: features[name] for name in sorted(names & features.keys())}
        self.by_base = {
            feature.base: [name for name, other in self.features.items() if other.base == feature.base]
            for feature in self.features.values()
        }
        readers |= {name: _reader(feature, projection) for name, feature in self.features.items()}
        readers |= {name: _in_list(name) for name in names if name.startswith("listed.")}
        kinds = policy.vocabulary.names
        self.by_name: dict[str, tuple[Read, Kind, type | None]] = {
            name: (read, kinds[name], TYPES.get(kinds[name])) for name, read in readers.items()
        }


def note_failure(part: str, degraded: list[str]) -> None:
    """Say in the log and in the decision that a part failed; to be called where the exception is at hand."""
    log.exception("a part of the decision failed", part=part)
    if part not in degraded:
        degraded.append(part)


def _in_list(name: str) -> Read:
    wanted = canonical(name.removeprefix("listed."))
    return lambda situation: wanted in situation.listed


def _reader(feature: Feature, projection: Projection) -> Read:
    """Reads the identity's own, its cluster's as if that were one identity, or the largest over entities of its kind.

    Where the event names none of the kind, those count that the identity is linked to: a request says no mailbox.
    """
    if feature.is_of_cluster:
        find_identity = projection.identity

        def read_together(situation: Situation) -> Any:
            members = (find_identity(member) for member in situation.cluster.members)
            return feature.read_together([one.features for one in members if one], situation.at_ms)

        return read_together
    letter = feature.letter
    if letter == b"u":
        return lambda situation: feature.read(situation.state.features, situation.at_ms)
    find_entity = projection.entity

    def read_largest(situation: Situation) -> Any:
        at_ms = situation.at_ms
        keys = [key for key in situation.entities if key[:1] == letter] or _linked(situation.state, letter)
        found = [find_entity(key) for key in keys]
        read = [feature.read(entity.features, at_ms) for entity in found if entity is not None]
        known = [value for value in read if value is not None]
        return max(known) if known else feature.read({}, at_ms)

    return read_largest


def _linked(state: IdentityState, letter: bytes) -> list[EntityKey]:
    """The entities of a kind that the identity is linked to, the `_MOST_LINKED` that were seen last."""
    links = state.strong if letter in STRONG_KINDS else state.weak
    keys = [key for key in links if key[:1] == letter]
    return sorted(keys, key=lambda key: (-links[key][1], key))[:_MOST_LINKED]
