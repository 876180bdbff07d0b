"""Whom strong links reach, at the moment of the decision (decision 5)."""

from collections.abc import Iterator, Mapping

import msgspec

from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.features.projection import Projection
from abuse_service.identities.facts import disputes as count_disputes
from abuse_service.identities.facts import is_blocked, is_paying
from abuse_service.identities.state import EntityState, IdentityState

MOST_MEMBERS = 256

Degrees = Mapping[bytes, int]
"""By the letter of a strong kind, how many accounts one entity of it links at most."""


class Reached(msgspec.Struct, frozen=True):
    """A member of a cluster: over which entity it was reached, from whom, and how many hops away."""

    state: IdentityState
    via: EntityKey
    source: EntityKey
    hops: int


class Reach(msgspec.Struct, frozen=True):
    """The members of a cluster by their keys, itself first; ``left_out`` are further accounts that were not counted."""

    members: dict[EntityKey, Reached]
    left_out: int


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """The identity with those that two strong hops reach; ``blocked`` counts the blocked ones one hop away.

    ``unpaid_microdollars`` is what those spent who never paid, with what is reserved for them;
    ``reserved_microdollars`` is the identity's own. ``since_ms`` is when the first of them was first seen.
    """

    members: tuple[EntityKey, ...]
    left_out: int = 0
    blocked: int = 0
    spent_microdollars: int = 0
    unpaid_microdollars: int = 0
    reserved_microdollars: int = 0
    disputes: int = 0
    since_ms: int = 0
    device_users: int = 0
    card_users: int = 0
    mailbox_users: int = 0


def alone(entity: EntityKey, state: IdentityState) -> Cluster:
    """A cluster of one, of which nothing else is known."""
    return Cluster(members=(entity,), since_ms=state.first_seen_ms)


def find_cluster(projection: Projection, entity: EntityKey, state: IdentityState, degrees: Degrees) -> Cluster:
    """The cluster around an identity, itself first, `MOST_MEMBERS` at most."""
    own = projection.reservations.of(entity)
    if not state.shared:
        # As nearly everybody is.
        record = state.record
        kinds = {key[:1] for key in state.strong}
        return Cluster(
            members=(entity,),
            spent_microdollars=record.spend.cost_microdollars,
            unpaid_microdollars=0 if is_paying(record, projection.ended) else record.spend.cost_microdollars + own,
            reserved_microdollars=own,
            disputes=count_disputes(record),
            since_ms=state.first_seen_ms,
            device_users=int(b"d" in kinds),
            card_users=int(b"c" in kinds),
            mailbox_users=int(b"m" in kinds),
        )
    reach = find_reach(projection, entity, state, degrees)
    reserved = projection.reservations.of
    records = {key: reached.state.record for key, reached in reach.members.items()}
    return Cluster(
        members=tuple(reach.members),
        left_out=reach.left_out,
        blocked=sum(is_blocked(reached.state.record) for reached in reach.members.values() if reached.hops == 1),
        spent_microdollars=sum(record.spend.cost_microdollars for record in records.values()),
        unpaid_microdollars=sum(
            record.spend.cost_microdollars + reserved(key)
            for key, record in records.items()
            if not is_paying(record, projection.ended)
        ),
        reserved_microdollars=own,
        disputes=sum(map(count_disputes, records.values())),
        since_ms=min(reached.state.first_seen_ms for reached in reach.members.values()),
        device_users=_most_users(projection, state, b"d"),
        card_users=_most_users(projection, state, b"c"),
        mailbox_users=_most_users(projection, state, b"m"),
    )


def find_reach(projection: Projection, entity: EntityKey, state: IdentityState, degrees: Degrees) -> Reach:
    """Whom two strong hops reach, those before further ones, `MOST_MEMBERS` at most."""
    members = {entity: Reached(state, b"", b"", 0)}
    visited: set[EntityKey] = set()
    left_out: set[EntityKey] = set()
    for hops in (1, 2):
        for source, reached in [(key, one) for key, one in members.items() if one.hops == hops - 1]:
            for via, member in _linked(projection, reached.state, degrees, visited):
                if member in members:
                    continue
                if len(members) >= MOST_MEMBERS:
                    left_out.add(member)
                    continue
                neighbour = projection.identity(member)
                if neighbour is not None and not _is_apart(via, reached.state, neighbour):
                    members[member] = Reached(neighbour, via, source, hops)
    return Reach(members, len(left_out))


def links_at_all(entity: EntityState, letter: bytes, degrees: Degrees) -> bool:
    """Whether few enough accounts share an entity, those left out to whom an analyst cut the link."""
    return len(entity.members) - len(entity.cuts) <= degrees.get(letter, 0)


def _linked(
    projection: Projection, state: IdentityState, degrees: Degrees, visited: set[EntityKey]
) -> Iterator[tuple[EntityKey, EntityKey]]:
    """The entities that an identity shares, each with its accounts."""
    for key in state.shared:
        # Each shared entity is looked at once: in a dense cluster everybody shares everything.
        if key in visited or key in state.cuts:
            continue
        visited.add(key)
        entity = projection.entity(key)
        if entity is not None and links_at_all(entity, key[:1], degrees):
            # Who came first must not matter: an entity is looked at from whoever shares it first in this order.
            for member in sorted(entity.members):
                yield key, member


def _is_apart(via: EntityKey, state: IdentityState, neighbour: IdentityState) -> bool:
    """Whether an analyst cut the neighbour's link, or it is no more than what a newcomer says of himself.

    A mailbox is written down before it is proven, so anybody can sign up with a spelling of somebody else's. The one
    who came later is judged with the one who was there first, never the other way round.
    """
    if via in neighbour.cuts:
        return True
    return via[:1] == EntityKind.MAILBOX.value and neighbour.first_seen_ms > state.first_seen_ms


def _most_users(projection: Projection, state: IdentityState, letter: bytes) -> int:
    found = [projection.entity(key) for key in state.shared if key[:1] == letter and key not in state.cuts]
    alone = 1 if any(key[:1] == letter for key in state.strong) else 0
    return max((len(entity.members) - len(entity.cuts) for entity in found if entity is not None), default=alone)
