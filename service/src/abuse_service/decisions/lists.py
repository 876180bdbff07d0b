"""Lists of entities that people keep, and what of a decision's subject stands in them (decision 0015).

Entries are entity keys, so no personal value stands here; what the operator wrote is in the log.
"""

from collections.abc import Iterable, Mapping

import msgspec

from abuse_service.enrichment.mail import read_mail
from abuse_service.events.entity import KIND_NAMES, EntityKey, EntityKind, EntityNamer
from abuse_service.events.scrub import ERASED
from abuse_service.identities.merge import newest
from abuse_service.identities.state import IdentityState
from abuse_service.identities.tenure import Ended, tenures
from abuse_service.policy.entries import is_entry, read_entry

TRUSTED, BLOCKED, UNBLOCKED = "trusted", "blocked", "unblocked"
MOST_ENTRIES = 100_000

_RANKS = {b"u": 0, b"m": 1, b"d": 1, b"c": 1, b"s": 1}
"""How closely a kind names its subject: an identity, what belongs to it, then what it shares with strangers."""
_LOOSEST = 2
_IN_POLICY = "named in the policy"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entity in one list. ``position`` is that of its event in the log, 0 for one that the policy names."""

    list_name: str
    key: EntityKey
    reason: str
    actor: str = ""
    added_at_ms: int = 0
    expires_at_ms: int | None = None
    position: int = 0
    text: str = ""

    @property
    def kind(self) -> str:
        """The kind of entity, in a word."""
        return KIND_NAMES[self.key[:1]]

    def holds(self, at_ms: int) -> bool:
        """Whether it has not expired at this instant."""
        return self.expires_at_ms is None or at_ms < self.expires_at_ms


Index = dict[EntityKey, dict[str, Entry]]
"""Entries by entity, then by list."""


class Lists:
    """The entries that people added, as the log tells it."""

    def __init__(self) -> None:
        self.index: Index = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, entry: Entry) -> None:
        """Put an entity in a list, or say anew why and until when it is there."""
        if entry.list_name == BLOCKED:
            self.remove(UNBLOCKED, entry.key)
        named = self.index.setdefault(entry.key, {})
        self._count += entry.list_name not in named
        named[entry.list_name] = entry

    def remove(self, list_name: str, key: EntityKey) -> Entry | None:
        """Take an entity out of a list; what stood there."""
        named = self.index.get(key, {})
        entry = named.pop(list_name, None)
        if entry is None:
            return None
        self._count -= 1
        if not named:
            del self.index[key]
        return entry

    def forget_expired(self, at_ms: int) -> None:
        """Make room: what expired before this instant goes."""
        for entry in [one for one in self.entries() if not one.holds(at_ms)]:
            self.remove(entry.list_name, entry.key)

    def forget_reason(self, key: EntityKey, position: int) -> None:
        """Let go of the reason why an entity is in a list since a position."""
        named = self.index.get(key, {})
        for name, entry in named.items():
            if entry.position == position:
                named[name] = msgspec.structs.replace(entry, reason=ERASED)

    def entries(self, list_name: str | None = None) -> list[Entry]:
        """The entries of one list or of all, those added first before the others."""
        every = (entry for named in self.index.values() for entry in named.values())
        found = [entry for entry in every if list_name in (None, entry.list_name)]
        return sorted(found, key=lambda entry: (entry.list_name, entry.added_at_ms, entry.position, entry.key))

    def restore(self, entries: Iterable[Entry]) -> None:
        """Hold what an image held."""
        for entry in entries:
            self.add(entry)


def canonical(list_name: str) -> str:
    """The name of a list: ``trusted_identities`` is the old one of ``trusted``."""
    return TRUSTED if list_name == "trusted_identities" else list_name


def name_entry(namer: EntityNamer, text: str) -> EntityKey:
    """The entity that an entry names. Raises `ValueError` that repeats no value."""
    return namer.key(*read_entry(text))


def name_entries(namer: EntityNamer, lists: Mapping[str, list[str]]) -> Index:
    """The entries that a policy's lists hold beside plain strings."""
    index: Index = {}
    for name, texts in lists.items():
        for text in filter(is_entry, texts):
            key = name_entry(namer, text)
            index.setdefault(key, {})[canonical(name)] = Entry(canonical(name), key, _IN_POLICY, text=text)
    return index


def find_listed(
    indexes: tuple[Index, ...],
    namer: EntityNamer,
    entity: EntityKey,
    state: IdentityState,
    entities: tuple[EntityKey, ...],
    at_ms: int,
    ended: Ended,
) -> dict[str, Entry]:
    """Of each list that holds the subject at this instant, the entry that names it most closely.

    Of ``trusted`` and ``blocked`` the one counts whose entry is closer, and where both are as close, ``blocked``.
    """
    indexes = tuple(index for index in indexes if index)
    if not indexes:
        return {}
    found: dict[str, Entry] = {}
    for key in (entity, *entities, *state.strong, *_name_said(namer, state, ended)):
        for index in indexes:
            for entry in index.get(key, {}).values():
                known = found.get(entry.list_name)
                if entry.holds(at_ms) and (known is None or _rank(entry) < _rank(known)):
                    found[entry.list_name] = entry
    trusted, blocked = found.get(TRUSTED), found.get(BLOCKED)
    if trusted is not None and blocked is not None:
        del found[BLOCKED if _rank(trusted) < _rank(blocked) else TRUSTED]
    return found


def _name_said(namer: EntityNamer, state: IdentityState, ended: Ended) -> list[EntityKey]:
    """What the record says in words: the organizations, and the domain of the newest address."""
    record = state.record
    keys = [
        record.memberships[organization_id].organization
        for organization_id, tenure in tenures(record, ended).items()
        if tenure.is_member
    ]
    email = newest(record.profile, "email")
    mail = read_mail(email) if isinstance(email, str) else None
    if mail is not None:
        keys.append(namer.key(EntityKind.EMAIL_DOMAIN, mail.registrable_domain))
    return keys


def _rank(entry: Entry) -> int:
    return _RANKS.get(entry.key[:1], _LOOSEST)
