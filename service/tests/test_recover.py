"""Starting again: from the image on disk and the log behind it to the states of the moment of the stop."""

import msgspec
import pytest

from abuse_service.events.content import Content
from abuse_service.events.event import ENFORCEMENT_CHANGED, OWN_SOURCE, Event
from abuse_service.features.projection import Projection
from abuse_service.identities.joins import Learned
from abuse_service.identities.states import Cut
from abuse_service.policy.policy import Policy
from abuse_service.replay.recover import Recovered, recover
from abuse_service.replay.snapshot import STATE_FORMAT, Snapshot
from abuse_service.testing import NOW_MS, KnownStates, MemoryColdStates, World, event, policy_of

COUNTED = "{entity: user, events: [user.blocked], aggregate: count}"
WITH_ONE = f"one: {COUNTED}"
WITH_TWO = f"{WITH_ONE}\ntwo: {COUNTED.replace('user.blocked', 'user.unblocked')}"
BLOCKED, UNBLOCKED = (event(name, NOW_MS, kilo_user_id="u1") for name in ("user.blocked", "user.unblocked"))


class MemorySnapshots:
    """Images in memory, over the cold states that they are images of."""

    def __init__(self, cold: MemoryColdStates) -> None:
        self.cold = cold
        self.kept: Snapshot | None = None

    def latest_snapshot(self) -> Snapshot | None:
        """The image, or ``None``."""
        return self.kept

    async def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> None:
        """Replace the image."""
        self.cold.keep(cut)
        self.kept = snapshot

    def discard_snapshot(self) -> None:
        """Forget the image with its states."""
        self.cold.kept.clear()
        self.cold.learned = Learned()
        self.kept = None


class Directory:
    """A service's data: a world that runs, its log, and the image that it leaves."""

    def __init__(self, features: str = WITH_ONE) -> None:
        self.world = World(policy_of(features=features))
        self.snapshots = MemorySnapshots(self.world.cold)

    def keep_image(self, ahead: tuple[int, ...] = (), *, is_enforced: bool = True, position: int | None = None) -> None:
        """Leave an image of now."""
        world = self.world
        position = world.log.last_position if position is None else position
        world.states.begin_cut(position, ahead)
        cut = world.states.pack_some(10_000)
        assert cut is not None
        self.snapshots.cold.keep(cut)
        waiting = world.states.joins.waiting
        self.snapshots.kept = Snapshot(position, ahead, world.projection.upkeep.sample(), is_enforced, waiting)
        world.states.finish_cut()

    def start_again(self, policy: Policy | None = None) -> tuple[World, Recovered]:
        """A fresh world over the image and the log."""
        again = World(policy or self.world.policy)
        again.log = self.world.log
        again.cold = self.snapshots.cold
        again.cold.read_log = lambda: again.log.events
        again.states = KnownStates(again.cold, most_hot=100)
        again.projection = Projection(again.states, again.policy.catalog, again.namer.tokens)
        return again, recover(self.world.log, self.snapshots, again.projection, again.standing, now_ms=NOW_MS)


def switched(is_enforced: bool) -> Event:
    """The event of the enforcement switch."""
    return Event(ENFORCEMENT_CHANGED, OWN_SOURCE, NOW_MS, NOW_MS, msgspec.json.encode({"is_enforced": is_enforced}))


@pytest.mark.parametrize("events_before_image", [None, 0, 1, 2, 3])
def test_start_gives_the_states_of_the_stop(events_before_image: int | None) -> None:
    """Wherever the image stands in the log, or without one, the states are those of the stop."""
    directory = Directory()
    for number, one in enumerate([BLOCKED, UNBLOCKED, BLOCKED | {"occurred_at": NOW_MS + 1}]):
        if number == events_before_image:
            directory.keep_image()
        directory.world.send(one)
    if events_before_image == 3:
        directory.keep_image()
    again, recovered = directory.start_again()
    assert again.states.all() == directory.world.states.all()
    assert recovered == Recovered(3, 3 - (events_before_image or 0), None if events_before_image is None else True)


def test_request_ahead_counts_once() -> None:
    """A request that the image holds already, though it became durable only later, is not folded again."""
    directory = Directory()
    directory.world.send(BLOCKED)
    decision = directory.world.classify()
    directory.keep_image(ahead=(decision.request_id,), position=1)
    directory.world.classify()
    again, recovered = directory.start_again()
    assert again.states.all() == directory.world.states.all()
    assert (again.record().spend.requests, recovered.events, recovered.position) == (2, 1, 3)


class Stumbling(Projection):
    """A projection that can't fold one type of event."""

    def apply(self, position: int, event: Event, content: Content | None) -> None:
        """Fold, or stumble."""
        if event.type == "user.unblocked":
            raise LookupError
        super().apply(position, event, content)


def test_start_survives_one_event() -> None:
    """An event that can't be folded is left out and counted; the service starts with all the others."""
    directory = Directory()
    directory.world.send(BLOCKED, UNBLOCKED, BLOCKED | {"occurred_at": NOW_MS + 1})
    again = World(directory.world.policy)
    again.projection = Stumbling(again.states, again.policy.catalog, again.namer.tokens)
    recovered = recover(directory.world.log, directory.snapshots, again.projection, again.standing, now_ms=NOW_MS)
    assert (recovered.position, recovered.left_out) == (3, 1)
    assert again.record().event_counts == {"user.blocked": 2}


def test_new_feature_keeps_the_image() -> None:
    """A feature that the image lacks is left to be filled; all else is there at once."""
    directory = Directory()
    directory.world.send(BLOCKED, UNBLOCKED)
    directory.keep_image()
    again, recovered = directory.start_again(policy_of(features=WITH_TWO))
    assert (again.feature("one"), recovered.events, again.projection.upkeep.filling) == (1, 0, 1)


def test_dropped_feature_keeps_the_image() -> None:
    """A policy that declares less needs nothing folded again."""
    directory = Directory(WITH_TWO)
    directory.world.send(BLOCKED, UNBLOCKED)
    directory.keep_image()
    again, recovered = directory.start_again(policy_of(features=WITH_ONE))
    assert (again.feature("one"), recovered.events) == (1, 0)


def test_image_of_another_format_is_discarded() -> None:
    """An image whose states have another shape is discarded, and all is folded again."""
    directory = Directory()
    directory.world.send(BLOCKED)
    directory.keep_image()
    assert directory.snapshots.kept is not None
    directory.snapshots.kept = msgspec.structs.replace(directory.snapshots.kept, state_format=STATE_FORMAT + 1)
    again, recovered = directory.start_again()
    assert (again.feature("one"), recovered.events) == (1, 1)


def test_waiting_events_wait_on() -> None:
    """What waited for its owner when the image was taken is joined after a start, and counts once."""
    directory = Directory()
    failed = "stripe.charge.failed"
    directory.world.send(event(failed, NOW_MS, charge="ch_1"), BLOCKED, event(failed, NOW_MS, charge="ch_2"))
    directory.keep_image()
    directory.world.send(event(failed, NOW_MS + 1, charge="ch_1", kilo_user_id="u1"))
    again, _ = directory.start_again()
    assert again.record().event_counts == {"user.blocked": 1, failed: 2}
    assert [waits.position for waits in again.states.joins.waiting] == [3]


@pytest.mark.parametrize("has_image", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_switch_is_remembered(has_image: bool, last: bool) -> None:
    """The enforcement switch stands where it stood last, read from the image or from the log."""
    directory = Directory()
    directory.world.log.keep([switched(not last), switched(last)])
    if has_image:
        directory.keep_image(is_enforced=last)
    assert directory.start_again()[1].is_enforced is last


def test_decisions_stay_with_their_identity() -> None:
    """The newest decisions of an identity, and that something was in force, are known after a start."""
    directory = Directory()
    directory.world.send(BLOCKED)
    for number in range(30):
        directory.world.classify(at=NOW_MS + number)
    again, _ = directory.start_again()
    decisions = again.identity("user:u1").decisions
    assert [line.decided_at_ms for line in decisions] == list(range(NOW_MS + 10, NOW_MS + 30))
    assert again.identity("user:u1").was_acted_on == directory.world.identity("user:u1").was_acted_on
