"""New features are filled in from the log while the service runs, and then say what they always would have said."""

import copy
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from abuse_service.decisions.decision import RuleState
from abuse_service.decisions.judge import Judge
from abuse_service.events.event import Event
from abuse_service.events.log import Appended
from abuse_service.features.projection import Projection
from abuse_service.features.rows import GRACE_MS
from abuse_service.identities.states import Cut
from abuse_service.policy.policy import Policy
from abuse_service.replay.fill import Filler
from abuse_service.replay.recover import recover
from abuse_service.replay.snapshot import Snapshot
from abuse_service.telemetry import Metrics
from abuse_service.testing import NOW_MS, KnownStates, MemoryColdStates, MemoryLog, World, event, policy_of

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
FIRST = "signins: {entity: user, events: [auth.signin], aggregate: count}"
MORE = """
signins: {entity: user, events: [auth.signin], aggregate: count}
requests_life: {entity: user, events: [request.classified], aggregate: count}
requests_7d: {entity: user, events: [request.classified], aggregate: count, window: 7d, approximate: 0.1}
spend_24h: {entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost, window: 24h}
declined: {entity: user, events: [stripe.charge.failed], aggregate: count, window: 24h}
declined_life: {entity: user, events: [stripe.charge.failed], aggregate: count}
charges: {entity: customer, events: [stripe.charge.failed], aggregate: count}
ip_users_1h: {entity: ip, events: [auth.signin], aggregate: distinct, value: identity, window: 1h}
model: {entity: user, events: [request.classified], aggregate: top, value: event.requested_model, window: 24h}
age: {entity: user, events: [auth.signin, request.classified], aggregate: age}
dear: {entity: user, events: [request.cost_reported], aggregate: count, where: event.cost > 5, window: 1h}
together: {entity: cluster, events: [request.cost_reported], aggregate: sum, value: event.cost}
"""
OTHER = MORE.replace("window: 24h", "window: 2d").replace("event.cost > 5", "event.cost > 3")
POLICIES = [policy_of(features=features) for features in (FIRST, MORE, OTHER)]


class SlowLog(MemoryLog):
    """A log whose records become durable later, and are lost in a power cut."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Event] = []
        self.told: list[Callable[[Appended], None] | None] = []

    def record(self, event: Event, then: Callable[[Appended], None] | None = None) -> None:
        """Keep the record back."""
        self.held.append(event)
        self.told.append(then)
        self.pending_requests = tuple(one.request_id or 0 for one in self.held)

    def land(self) -> None:
        """Make what was kept back durable."""
        for held, then in zip(self.held, self.told, strict=True):
            appended = self.keep([held])
            if then is not None:
                then(appended)
        self.lose()

    def lose(self) -> None:
        """Forget what was kept back."""
        self.held, self.told = [], []
        self.pending_requests = ()


class Life:
    """A service's life in memory: what happens to it, fills, images, power cuts and changes of the policy."""

    def __init__(self, policy: Policy) -> None:
        self.log = SlowLog()
        self.world = World(policy)
        self.world.log = self.log
        self.image: tuple[Snapshot, MemoryColdStates] | None = None
        self.filler = self._make_filler()

    def _make_filler(self) -> Filler:
        return Filler(self.log, self.world.projection, Metrics())

    def change(self, policy: Policy) -> None:
        """Put another policy in force."""
        self.world.policy = policy
        self.world.projection.change(
            policy.catalog,
            at_ms=NOW_MS,
            position=self.log.last_position,
            ahead=self.log.pending_requests,
        )

    def keep_image(self) -> None:
        """Bring an image of now to disk, and before it the records that it holds."""
        states = self.world.states
        snapshot = Snapshot(
            position=self.log.last_position,
            ahead=self.log.pending_requests,
            kept=self.world.projection.upkeep.sample(),
            waiting=states.joins.waiting,
        )
        states.begin_cut(snapshot.position, snapshot.ahead)
        while (cut := states.pack_some(10_000)) is None:
            pass
        self.log.land()
        self.world.cold.keep(cut)
        states.finish_cut()
        frozen = MemoryColdStates()
        frozen.kept, frozen.learned = dict(self.world.cold.kept), copy.deepcopy(self.world.cold.learned)
        self.image = (msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot), frozen)

    def cut_power(self, policy: Policy | None = None) -> None:
        """Lose what is in memory only, and start again, perhaps with another policy."""
        self.log.lose()
        snapshot, frozen = self.image or (None, MemoryColdStates())
        world = World(policy or self.world.policy)
        world.log = self.log
        world.cold.kept, world.cold.learned = dict(frozen.kept), copy.deepcopy(frozen.learned)
        world.states = KnownStates(world.cold, most_hot=100)
        world.projection = Projection(world.states, world.policy.catalog, world.namer.tokens)
        recover(self.log, OneImage(snapshot), world.projection, world.standing, now_ms=NOW_MS)
        self.world = world
        self.filler = self._make_filler()

    def fill(self) -> None:
        """Fill until nothing is left."""
        self.log.land()
        while self.filler.fill_some(seconds=10):
            pass
        assert self.world.projection.upkeep.filling == 0

    def values(self, at_ms: int) -> dict[tuple[bytes, str], Any]:
        """Every feature of every entity as of an instant."""
        return values_of(self.world, at_ms)


class OneImage:
    """The one image that is on disk, or none."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot

    def latest_snapshot(self) -> Snapshot | None:
        """The image."""
        return self.snapshot

    def discard_snapshot(self) -> None:
        """There is nothing to discard."""
        assert self.snapshot is None

    async def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> None:
        """Not asked for here."""


def values_of(world: World, at_ms: int) -> dict[tuple[bytes, str], Any]:
    """Every feature of every entity as of an instant."""
    catalog = world.projection.catalog
    return {
        (key, name): feature.read(state.features, at_ms)
        for key, state in world.states.all().items()
        for name, feature in catalog.features.items()
        if key[:1] == feature.letter
    }


def told_from_the_start(life: Life) -> World:
    """A world that had the policy's features from the first event on."""
    told = World(life.world.policy)
    told.log.events = life.log.events
    return told.retold()


def do(life: Life, kind: str, user: int, number: int) -> None:
    """One thing that happens; ``number`` says how long ago, which, or how much."""
    world, name = life.world, f"u{user}"
    at = NOW_MS - (number * number * HOUR_MS // 3 if user % 2 else number * 11 * MINUTE_MS)
    if kind == "s":
        world.sign_in(name, occurred_at=at, ip_address=f"192.0.2.{number % 3}")
    elif kind == "r":
        world.classify(name, occurred_at=at, requested_model=f"m{number % 3}")
    elif kind == "c":
        world.report_cost(name, request_id=1, message_id=f"m{number}", cost=number, occurred_at=at)
    elif kind == "j":
        world.send(event("stripe.charge.failed", at, charge=f"ch_{number % 4}", event_id=f"j{number}"))
    elif kind == "k":
        world.send(event("stripe.charge.failed", at, charge=f"ch_{number % 4}", kilo_user_id=name))
    elif kind == "w":
        world.send(
            event("stripe.charge.failed", at, charge=f"ch_{number % 4}", customer=f"cus_{user}", kilo_user_id=name)
        )
    elif kind == "f":
        life.filler.fill_some(seconds=10, most=number % 4 + 1)
    elif kind == "t":
        life.log.land()
    elif kind == "l":
        life.cut_power(POLICIES[number % 3] if number % 2 else None)
    elif kind == "i":
        life.keep_image()
    elif kind == "p":
        life.change(POLICIES[number % 3])


def steps(chance: random.Random, most: int) -> list[tuple[str, int, int]]:
    """What happens in a life, by chance."""
    return [
        (chance.choice("ssrrccjjkwfffffftliicp"), chance.randrange(4), chance.randrange(21))
        for _ in range(chance.randrange(most))
    ]


@pytest.mark.parametrize("chapter", range(10))
def test_filled_is_as_if_always_there(chapter: int) -> None:
    """Whatever happens meanwhile (late events, joins, pending records, images, power cuts, further changes), what was
    filled says what it would say had it been there from the first event on."""
    for seed in range(chapter * 40, chapter * 40 + 40):
        chance = random.Random(seed)
        life = Life(POLICIES[0])
        for step in steps(chance, 30):
            do(life, *step)
        life.change(POLICIES[1])
        for step in steps(chance, 60):
            do(life, *step)
        life.fill()
        whole = told_from_the_start(life)
        for at_ms in (NOW_MS - GRACE_MS + 1, NOW_MS, NOW_MS + HOUR_MS, NOW_MS + 30 * HOUR_MS):
            assert life.values(at_ms) == values_of(whole, at_ms), seed


def test_old_numbers_are_never_read() -> None:
    """A feature that comes back begins anew: what it missed is filled in, what it knew counts once."""
    life = Life(POLICIES[1])
    life.world.classify("u1")
    life.log.land()
    life.change(POLICIES[0])
    life.world.classify("u1")
    life.log.land()
    life.change(POLICIES[1])
    assert life.world.feature("requests_life") == 0
    held = life.world.identity("user:u1").features
    assert not held.keys() <= life.world.projection.catalog.keys
    life.fill()
    assert life.world.feature("requests_life") == 2
    assert held.keys() <= life.world.projection.catalog.keys


def test_changed_declaration_begins_anew() -> None:
    """A feature of the same name that means something else does not begin with the other's numbers."""
    life = Life(POLICIES[1])
    life.world.report_cost(cost=4)
    life.change(POLICIES[2])
    assert life.world.feature("dear") == 0
    life.fill()
    assert life.world.feature("dear") == 1


RULE = """
- id: many
  title: Many requests ever
  signal: many
  when: requests_life > 1
  reason: "{requests_life} requests"
  weight: 0.5
"""


def test_rule_abstains_while_its_feature_is_filled() -> None:
    """A rule over a feature that does not know the past yet abstains and says how far it is; then it fires."""
    life = Life(policy_of())
    for _ in range(4):
        life.world.classify()
    life.log.land()
    life.change(policy_of(RULE, MORE))
    life.world.judge = Judge(life.world.policy, life.world.projection, life.world.standing)
    life.filler.fill_some(seconds=10, most=1)
    [abstained] = life.world.classify().rules
    assert (abstained.state, abstained.why_abstained) == (
        RuleState.ABSTAINED,
        "requests_life is being filled, 25%",
    )
    life.fill()
    [fired] = life.world.classify().rules
    assert (fired.state, fired.reason) == (RuleState.FIRED, "6 requests")


def test_window_says_too_little_of_the_past() -> None:
    """A window that was filled knows nothing of instants long before: a decision on one of those abstains."""
    life = Life(policy_of())
    life.world.classify()
    life.log.land()
    rule = RULE.replace("requests_life", "recent").replace("> 1", "> 0")
    life.change(policy_of(rule, "recent: {entity: user, events: [request.classified], aggregate: count, window: 7d}"))
    life.world.judge = Judge(life.world.policy, life.world.projection, life.world.standing)
    life.fill()
    [abstained] = life.world.classify(at=NOW_MS - GRACE_MS - 1).rules
    assert abstained.why_abstained == "recent says too little of that instant"
    assert life.world.classify().rules[0].state is RuleState.FIRED


def test_old_events_are_not_read_for_a_window() -> None:
    """An event older than a window can matter touches no state, so that those at rest stay there."""
    life = Life(policy_of())
    life.world.sign_in("u1", occurred_at=NOW_MS - 48 * HOUR_MS)
    life.world.sign_in("u2", occurred_at=NOW_MS - HOUR_MS)
    life.keep_image()
    life.change(policy_of(features="recent: {entity: user, events: [auth.signin], aggregate: count, window: 24h}"))
    life.fill()
    assert life.world.states.dirty == 1


def test_fill_survives_one_event() -> None:
    """An event that can't be filled in is left out; the others are not."""

    class Stumbling(Projection):
        def fill(self, event: Event, *rest: Any) -> None:
            if event.source == "odd":
                raise LookupError
            super().fill(event, *rest)

    life = Life(policy_of())
    life.world.projection = Stumbling(life.world.states, life.world.policy.catalog, life.world.namer.tokens)
    life.filler = life._make_filler()
    life.world.sign_in("u1")
    life.world.send(event("user.deleted", NOW_MS, kilo_user_id="u1"), source="odd")
    life.world.send(event("user.deleted", NOW_MS, kilo_user_id="u1"))
    life.change(policy_of(features="gone: {entity: user, events: [user.deleted], aggregate: count}"))
    life.fill()
    assert life.world.feature("gone") == 1
