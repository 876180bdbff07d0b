"""What is kept of one entity: of an identity its record, of any entity its links and its features."""

import bisect
from typing import Any

import msgspec

from abuse_service.events.entity import STRONG_KINDS, EntityKey
from abuse_service.identities.places import Stay
from abuse_service.identities.record import Record
from abuse_service.identities.stamp import Stamp

MOST_STRONG = 64
MOST_WEAK = 48
MOST_MEMBERS = 256
"""Members that an entity remembers, the first seen; a cluster counts no more (decision 5)."""
MOST_DECISIONS = 20

Seen = tuple[int, int]
"""First and last time of a link, epoch milliseconds."""

Tie = tuple[int, int, int]
"""The same with how many events said it."""


class Decided(msgspec.Struct, array_like=True, frozen=True):
    """A line about one decision, for the identity's page; the decision itself stands in the log."""

    decided_at_ms: int
    request_id: int
    verdict: str
    action: str | None
    signals: tuple[str, ...]


class IdentityState(msgspec.Struct, array_like=True):
    """All that is kept of one identity.

    ``shared`` are those of the strong links that lead to another identity as well: most identities have none, and a
    decision then need not look at any. What an e-mail once was stays said; ``free_email`` is of the newest
    one, with its time. ``cuts`` are strong links that an analyst cut.
    """

    key: str
    first_seen_ms: int
    last_seen_ms: int
    record: Record
    features: dict[str, Any] = {}
    strong: dict[EntityKey, Tie] = {}
    weak: dict[EntityKey, Tie] = {}
    decisions: list[Decided] = []
    was_acted_on: bool = False
    is_hosting: bool = False
    is_disposable_email: bool = False
    mailbox_digits: int = 0
    shared: list[EntityKey] = []
    places: list[Stay] = []
    mailbox_is_tagged: bool = False
    mailbox_dots: int = 0
    has_lookalike_email: bool = False
    free_email: tuple[int, bool] = (0, False)
    cuts: list[EntityKey] = []


class EntityState(msgspec.Struct, array_like=True):
    """All that is kept of an address, a device, a card and the like.

    ``cuts`` are members whom it links no more; ``ended`` is when an organization was deleted last: every member's
    membership ends with it (see `tenure`).
    """

    members: dict[EntityKey, Seen] = {}
    features: dict[str, Any] = {}
    cuts: list[EntityKey] = []
    ended: Stamp | None = None


State = IdentityState | EntityState


def see(links: dict[EntityKey, Seen], key: EntityKey, at_ms: int, most: int) -> EntityKey | None:
    """Note that ``key`` was seen, and keep the ``most`` that were seen first; returns the one that has no room.

    ``links`` are in that order once they are full, so that a further one is compared with the last alone.
    """
    seen = links.get(key)
    if seen is not None:
        if at_ms > seen[1]:
            links[key] = (seen[0], at_ms)
        elif at_ms < seen[0]:
            links[key] = (at_ms, seen[1])
            if len(links) >= most:
                _sort(links)
        return None
    if len(links) >= most:
        last = next(reversed(links))
        if (at_ms, key) > (links[last][0], last):
            return key
        links[key] = (at_ms, at_ms)
        _sort(links)
        return links.popitem()[0]
    links[key] = (at_ms, at_ms)
    if len(links) == most:
        _sort(links)
    return None


def tie(ties: dict[EntityKey, Tie], key: EntityKey, at_ms: int, most: int) -> None:
    """The same for the side of an identity, which counts how often."""
    known = ties.get(key)
    if known is None:
        if len(ties) >= most:
            last = next(reversed(ties))
            if (at_ms, key) > (ties[last][0], last):
                return
            ties.pop(last)
        ties[key] = (at_ms, at_ms, 1)
        if len(ties) == most:
            _sort(ties)
        return
    first, latest, count = known
    if at_ms >= first:
        ties[key] = (first, max(latest, at_ms), count + 1)
        return
    ties[key] = (at_ms, latest, count + 1)
    if len(ties) >= most:
        _sort(ties)


def _sort(links: dict[EntityKey, Any]) -> None:
    entries = sorted(links.items(), key=lambda entry: (entry[1][0], entry[0]))
    links.clear()
    links.update(entries)


def link(
    identity: IdentityState, identity_entity: EntityKey, entity_key: EntityKey, entity: EntityState, at_ms: int
) -> EntityKey | None:
    """Note on both sides that an identity and an entity were seen together.

    Returns an identity for which the entity's members have no room, unless that was told before: a search has to find
    it all the same.
    """
    displaced = see(entity.members, identity_entity, at_ms, MOST_MEMBERS)
    links, most = (identity.strong, MOST_STRONG) if entity_key[:1] in STRONG_KINDS else (identity.weak, MOST_WEAK)
    if displaced == identity_entity and entity_key in links:
        displaced = None
    tie(links, entity_key, at_ms, most)
    return displaced


def cut(
    identity: IdentityState, identity_entity: EntityKey, entity_key: EntityKey, entity: EntityState, *, is_cut: bool
) -> None:
    """Note on both sides that a link counts no more, or that it does again."""
    for cuts, other in ((identity.cuts, entity_key), (entity.cuts, identity_entity)):
        if is_cut and other not in cuts:
            bisect.insort(cuts, other)
        elif not is_cut and other in cuts:
            cuts.remove(other)


def share(identity: IdentityState, entity_key: EntityKey) -> None:
    """Note that a strong link leads to another identity as well."""
    if entity_key not in identity.shared:
        bisect.insort(identity.shared, entity_key)
