"""Who stands next to an identity, and links that an analyst cuts."""

from typing import Any

import msgspec

from abuse_service.console_api.instants import iso
from abuse_service.decisions.cluster import Reach, Reached, find_reach, links_at_all
from abuse_service.errors import BadRequest, NotFound, Unprocessable
from abuse_service.events.entity import KIND_NAMES, EntityKey
from abuse_service.events.event import LINK_CUT, LINK_RESTORED, OWN_SOURCE, Event
from abuse_service.flow import Flow
from abuse_service.identities import facts
from abuse_service.identities.state import IdentityState
from abuse_service.identities.tenure import Ended

_encode = msgspec.json.Encoder().encode


class CutWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A strong link of an identity, by its entity's key in hexadecimal digits, and why it counts no more, or again."""

    entity: str
    reason: str


def cluster_view(flow: Flow, key: EntityKey, state: IdentityState) -> dict[str, Any]:
    """The cluster of an identity as of now: each member with the link that reached it, and links that reach nobody."""
    reach = find_reach(flow.projection, key, state, flow.judge.degrees)
    return {
        "identity_key": state.key,
        "position": flow.event_log.last_position,
        "members": [_member(reach, one, reached, flow.projection.ended) for one, reached in reach.members.items()],
        "left_out": reach.left_out,
        "links": _links(flow, state),
    }


def _member(reach: Reach, key: EntityKey, reached: Reached, ended: Ended) -> dict[str, Any]:
    state, record = reached.state, reached.state.record
    told: dict[str, Any] = {
        "identity_key": state.key,
        "entity": key.hex(),
        "hops": reached.hops,
        "is_blocked": facts.is_blocked(record),
        "is_paying": facts.is_paying(record, ended),
        "is_deleted": record.deleted is not None,
        "spent_microdollars": record.spend.cost_microdollars,
        "disputes": facts.disputes(record),
        "first_seen_at": iso(state.first_seen_ms),
        "verdict": state.decisions[-1].verdict if state.decisions else None,
    }
    if reached.hops:
        told["from"] = reach.members[reached.source].state.key
        told["link"] = _link(reached.via, state)
    return told


def _link(via: EntityKey, state: IdentityState) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": KIND_NAMES[via[:1]], "entity": via.hex()}
    seen = state.strong.get(via)
    if seen is not None:
        told |= {"first_seen_at": iso(seen[0]), "last_seen_at": iso(seen[1]), "count": seen[2]}
    return told


def _links(flow: Flow, state: IdentityState) -> list[dict[str, Any]]:
    """The strong links of an identity: how many share each, and why one links nobody."""
    degrees, found = flow.judge.degrees, []
    for via in sorted(state.strong):
        entity = flow.projection.entity(via)
        users = len(entity.members) - len(entity.cuts) if entity else 1
        why = None
        if via in state.cuts:
            why = "cut by an analyst"
        elif entity is not None and not links_at_all(entity, via[:1], degrees):
            why = f"more than {degrees[via[:1]]} accounts share it"
        found.append(_link(via, state) | {"users": users, "links_nobody_because": why})
    return found


async def change_link(
    flow: Flow, key: EntityKey, state: IdentityState, body: bytes, actor: str, *, is_cut: bool
) -> dict[str, Any]:
    """Cut a strong link of an identity, or let it count again. Raises `BadRequest`, `NotFound` or `Unprocessable`."""
    try:
        wish = msgspec.json.decode(body, type=CutWish)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected entity and reason: {error}") from None
    if not wish.reason.strip():
        raise Unprocessable("expected a reason", path="reason")
    try:
        via = bytes.fromhex(wish.entity)
    except ValueError:
        raise Unprocessable("expected hexadecimal digits", path="entity") from None
    if via not in state.strong:
        raise NotFound("the identity has no strong link of this key", path="entity")
    if (via in state.cuts) is not is_cut:
        now_ms = flow.now_ms()
        told = _encode({"reason": wish.reason, "actor": actor})
        name = LINK_CUT if is_cut else LINK_RESTORED
        await flow.tell(
            Event(name, OWN_SOURCE, now_ms, now_ms, told, identity=state.key, identity_entity=key, entities=(via,))
        )
    return {"identity_key": state.key, "kind": KIND_NAMES[via[:1]], "is_cut": is_cut}
