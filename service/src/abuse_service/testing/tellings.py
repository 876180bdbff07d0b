"""What a world is told: events as senders write them, alone and in every order."""

import itertools
from collections.abc import Callable
from typing import Any

from abuse_service.testing.world import World


def event(event_type: str, at: int | None = None, event_id: str | None = None, **said: Any) -> dict[str, Any]:
    """An event of a batch: type, time, id and data."""
    built: dict[str, Any] = {"type": event_type, "data": said}
    if at is not None:
        built["occurred_at"] = at
    if event_id is not None:
        built["event_id"] = event_id
    return built


def stripe_event(
    event_type: str, stripe_object: dict[str, Any], at: int | None = None, webhook_id: str | None = None, **beside: Any
) -> dict[str, Any]:
    """A whole Stripe event, as the webhook got it; ``beside`` is what the cloud adds, or ``previous_attributes``."""
    inner: dict[str, Any] = {"object": stripe_object}
    if "previous_attributes" in beside:
        inner["previous_attributes"] = beside.pop("previous_attributes")
    name = event_type.removeprefix("stripe.")
    return event(event_type, at, id=webhook_id, type=name, data=inner, **beside)


Telling = Callable[[World], Any]
"""Something that a world is told."""


def sent(event_type: str, at: int, user: str | None = "u1", **said: Any) -> Telling:
    """The telling of one event of a batch; without a user where ``user`` is ``None``."""
    named = {} if user is None else {"kilo_user_id": user}
    return lambda world: world.send(event(event_type, at, **named, **said))


def signed_in(at: int, user: str = "u1", **fields: Any) -> Telling:
    """The telling of one sign-in."""
    return lambda world: world.sign_in(user, occurred_at=at, **fields)


def in_each_order(*tellings: Telling) -> list[World]:
    """A world for each order in which the tellings may arrive."""
    worlds = []
    for order in itertools.permutations(tellings):
        world = World()
        for tell in order:
            tell(world)
        worlds.append(world)
    return worlds
