"""Whom strong links reach, at the moment of the decision (decision 5)."""

import msgspec

from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.features.projection import Projection
from abuse_service.identities.facts import is_blocked, is_paying
from abuse_service.identities.state import IdentityState

MOST_MEMBERS = 256


class Cluster(msgspec.Struct, frozen=True):
    """The identity with those that two strong hops reach; ``blocked`` counts the blocked ones one hop away.

    ``unpaid_microdollars`` is what those spent who never paid, with what is reserved for them;
    ``reserved_microdollars`` is the identity's own.
    """

    members: tuple[EntityKey, ...]
    blocked: int
    unpaid_microdollars: int
    reserved_microdollars: int
    device_users: int
    card_users: int
    mailbox_users: int


def alone(entity: EntityKey) -> Cluster:
    """A cluster of one."""
    return Cluster((entity,), 0, 0, 0, 0, 0, 0)


def find_cluster(projection: Projection, entity: EntityKey, state: IdentityState) -> Cluster:
    """The cluster around an identity, itself first, `MOST_MEMBERS` at most."""
    if not state.shared:
        # As nearly everybody is.
        own = projection.reservations.of(entity)
        open_microdollars = 0 if is_paying(state.record) else state.record.spend.cost_microdollars + own
        kinds = {key[:1] for key in state.strong}
        return Cluster((entity,), 0, open_microdollars, own, *(int(letter in kinds) for letter in (b"d", b"c", b"m")))
    found: dict[EntityKey, IdentityState] = {entity: state}
    visited: set[EntityKey] = set()
    near = _neighbours(projection, state, found, visited)
    found.update(near)
    for neighbour in near.values():
        found.update(_neighbours(projection, neighbour, found, visited))
    reserved = projection.reservations.of
    unpaid = [
        member.record.spend.cost_microdollars + reserved(key)
        for key, member in found.items()
        if not is_paying(member.record)
    ]
    return Cluster(
        members=tuple(found),
        blocked=sum(is_blocked(neighbour.record) for neighbour in near.values()),
        unpaid_microdollars=sum(unpaid),
        reserved_microdollars=reserved(entity),
        device_users=_most_users(projection, state, b"d"),
        card_users=_most_users(projection, state, b"c"),
        mailbox_users=_most_users(projection, state, b"m"),
    )


def _neighbours(
    projection: Projection, state: IdentityState, known: dict[EntityKey, IdentityState], visited: set[EntityKey]
) -> dict[EntityKey, IdentityState]:
    reached: dict[EntityKey, IdentityState] = {}
    for key in state.shared:
        # Each shared entity is looked at once: in a dense cluster everybody shares everything.
        entity = projection.entity(key) if key not in visited else None
        visited.add(key)
        if entity is None:
            continue
        for member in entity.members:
            if len(known) + len(reached) >= MOST_MEMBERS:
                return reached
            if member not in known and member not in reached:
                neighbour = projection.identity(member)
                if neighbour is not None and not _is_claim(key, state, neighbour):
                    reached[member] = neighbour
    return reached


def _is_claim(key: EntityKey, state: IdentityState, neighbour: IdentityState) -> bool:
    """Whether the link is no more than what a newcomer says of himself.

    A mailbox is written down before it is proven, so anybody can sign up with a spelling of somebody else's. The one
    who came later is judged with the one who was there first, never the other way round.
    """
    return key[:1] == EntityKind.MAILBOX.value and neighbour.first_seen_ms > state.first_seen_ms


def _most_users(projection: Projection, state: IdentityState, letter: bytes) -> int:
    shared = [projection.entity(key) for key in state.shared if key[:1] == letter]
    alone = 1 if any(key[:1] == letter for key in state.strong) else 0
    return max((len(entity.members) for entity in shared if entity is not None), default=alone)
