"""Events that wait too long for their user."""

import asyncio

from abuse_service.events.event import PENDING_EXPIRED, Event
from abuse_service.replay.pending import PendingKeeper
from abuse_service.telemetry import Metrics
from abuse_service.testing import NOW_MS, World, event, policy_of

DAY_MS = 86_400_000
DISPUTE = "stripe.charge.dispute.created"
FAILED = "stripe.charge.failed"


class Desk:
    """A world with a keeper of what waits, at an instant."""

    def __init__(self, world: World, at_ms: int) -> None:
        self.world = world
        self.at_ms = at_ms
        self.keeper = PendingKeeper(world.projection, Metrics(), self.tell, lambda: self.at_ms, days=30)

    async def tell(self, event: Event) -> None:
        """Keep an event of ours and fold it."""
        self.world.take([event], [None])

    def expire(self) -> int:
        """Note what waited too long."""
        return asyncio.run(self.keeper.expire())


def test_expired_event_is_noted_and_kept() -> None:
    """What waits longer than it may waits no longer, an event says so, and a restart knows it."""
    world = World()
    world.send(event(DISPUTE, charge="ch_1"), at=NOW_MS - 31 * DAY_MS)
    world.send(event(DISPUTE, charge="ch_2"), at=NOW_MS - 29 * DAY_MS)
    assert Desk(world, NOW_MS).expire() == 1
    assert world.log.events[-1].type == PENDING_EXPIRED
    for told in (world, world.retold()):
        assert [waits.position for waits in told.states.joins.waiting] == [2]
    assert Desk(world, NOW_MS).expire() == 0


def test_expired_event_is_still_joined() -> None:
    """Who claims an expired event later has it all the same, and what is shared counts it once."""
    policy = policy_of(features="disputed: {entity: card, events: [stripe.charge.dispute.created], aggregate: count}")
    world = World(policy)
    world.send(event(DISPUTE, charge="ch_1", card={"fingerprint": "card-1"}), at=NOW_MS - 31 * DAY_MS)
    Desk(world, NOW_MS).expire()
    for user in ("u1", "u2"):
        world.send(event(FAILED, charge="ch_1", kilo_user_id=user))
        assert world.record(user).event_counts[DISPUTE] == 1
    [card] = [state for key, state in world.states.all().items() if key[:1] == b"c"]
    assert policy.catalog.features["disputed"].read(card.features, NOW_MS) == 1
