"""What waits for its user, and links between customers and their owners that operators bring along."""

from typing import Any

import msgspec

from abuse_client.contract import known_user
from abuse_service.console_api.instants import iso
from abuse_service.errors import BadRequest, Unprocessable
from abuse_service.events.entity import EntityKind, EntityNamer, StripeKind
from abuse_service.events.event import CUSTOMER_LINKED, OWN_SOURCE, Event
from abuse_service.events.stripe import read_stripe
from abuse_service.flow import Flow
from abuse_service.identities.joins import Waits
from abuse_service.identities.state import IdentityState

MOST_LINKS = 10_000
_LONGEST_ID = 255
_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose a Stripe customer is: a user's or an organization's."""

    stripe_customer_id: str
    kilo_user_id: str | None = None
    organization_id: str | None = None


class Links(msgspec.Struct, frozen=True):
    """Links from a cloud that was there before us."""

    links: list[Link]


def show_pending(flow: Flow, limit: int) -> dict[str, Any]:
    """How many events wait, and those that wait longest, each with the ids under which it waits."""
    joins, now_ms = flow.projection.states.joins, flow.now_ms()
    waiting = joins.waiting
    return {"waiting": len(waiting), "events": [_told(flow, one, now_ms) for one in waiting[:limit]]}


def conflicting_claims(flow: Flow, namer: EntityNamer, state: IdentityState) -> list[dict[str, Any]]:
    """The Stripe ids of a record that others claim as well, each with who does."""
    stripe = state.record.stripe
    ids = [f"customer:{name}" for name in stripe.customers] + [f"payment_method:{name}" for name in stripe.methods]
    found, projection = [], flow.projection
    for said, join in zip(ids, namer.joins(ids), strict=True):
        others = [projection.identity(owner) for owner in projection.states.joins.owners([join])]
        keys = [other.key for other in others if other is not None and other.key != state.key]
        if keys:
            found.append({"id": said, "also_claimed_by": keys})
    return found


def _told(flow: Flow, waits: Waits, now_ms: int) -> dict[str, Any]:
    event = flow.projection.states.joins.load_event(waits.position)
    ids = list(read_stripe(event.body).joins) if event else []
    return {
        "position": waits.position,
        "type": event.type if event else None,
        "received_at": iso(waits.received_at_ms),
        "waits_days": round((now_ms - waits.received_at_ms) / _DAY_MS, 2),
        "ids": ids,
        "why": f"nobody claims {' or '.join(ids)}" if ids else "it carries no id",
    }


async def import_links(flow: Flow, namer: EntityNamer, body: bytes, actor: str) -> dict[str, int]:
    """Take links in, each once, all or none. Raises `BadRequest` or `Unprocessable` with the link's place."""
    try:
        said = msgspec.json.decode(body, type=Links)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected links, each with stripe_customer_id and kilo_user_id: {error}") from None
    if len(said.links) > MOST_LINKS:
        raise Unprocessable(f"at most {MOST_LINKS} links at once, found {len(said.links)}", path="links")
    now_ms = flow.now_ms()
    events = [_event(namer, link, f"links[{place}]", actor, now_ms) for place, link in enumerate(said.links)]
    known = await flow.tell_all(events)
    return {"accepted": len(events) - known, "duplicates": known}


def _event(namer: EntityNamer, link: Link, place: str, actor: str, now_ms: int) -> Event:
    customer = link.stripe_customer_id.strip()
    if not customer or len(customer) > _LONGEST_ID:
        raise Unprocessable("expected a customer's id", path=f"{place}.stripe_customer_id")
    user = known_user(link.kilo_user_id) if link.kilo_user_id else None
    organization = (link.organization_id or "").strip()[:_LONGEST_ID]
    if not user and not organization:
        raise Unprocessable("expected a user or an organization", path=f"{place}.kilo_user_id")
    identity = f"user:{user}" if user and not organization else None
    owner = f"organization:{organization}" if organization else identity
    return Event(
        type=CUSTOMER_LINKED,
        source=OWN_SOURCE,
        occurred_at_ms=now_ms,
        received_at_ms=now_ms,
        body=_encode({"link": link, "actor": actor}),
        event_key=namer.event_keys.of_id(OWN_SOURCE, CUSTOMER_LINKED, f"{customer}\0{owner}"),
        identity=identity,
        identity_entity=namer.identity(identity) if identity else None,
        entities=(namer.key(EntityKind.ORGANIZATION, organization),) if organization else (),
        joins=(namer.key(StripeKind.CUSTOMER, customer),),
    )
