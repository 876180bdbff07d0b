"""Whom a decision judges together: two strong links, within bounds, without what is shared by strangers or was cut."""

import pytest

from abuse_service.decisions.cluster import MOST_MEMBERS, Cluster, find_cluster, find_reach
from abuse_service.errors import PolicyError
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import LINK_CUT, LINK_RESTORED, OWN_SOURCE, Event
from abuse_service.policy.links import LINK_THRESHOLDS, link_degrees
from abuse_service.testing import NOW_MS, World, event, policy_of

DEGREES = link_degrees({})
DAY_MS = 86_400_000


def on_devices(world: World, user: str, *devices: str, at: int = NOW_MS) -> None:
    """Let a user sign in on devices."""
    for device in devices:
        world.sign_in(user, at=at, email=f"{user}@example.com", stytch_hardware_fingerprint=device)


def cluster_of(world: World, user: str) -> Cluster:
    """The cluster around a user."""
    return find_cluster(world.projection, world.namer.identity(f"user:{user}"), world.identity(f"user:{user}"), DEGREES)


def members(world: World, user: str) -> list[str]:
    """The users whom a cluster counts, itself first."""
    names = []
    for member in cluster_of(world, user).members:
        state = world.projection.identity(member)
        assert state is not None
        names.append(state.key.removeprefix("user:"))
    return names


def device(world: World, name: str) -> EntityKey:
    """The key of a device."""
    return world.namer.key(EntityKind.DEVICE, name)


def change(world: World, name: str, user: str, entity: EntityKey) -> None:
    """Take in what an analyst did to a link."""
    key = world.namer.identity(f"user:{user}")
    told = Event(
        name, OWN_SOURCE, NOW_MS, NOW_MS, b"{}", identity=f"user:{user}", identity_entity=key, entities=(entity,)
    )
    world.take([told], [None])


def test_two_hops_and_no_further() -> None:
    """Of a chain of accounts each has those two links away, and no more."""
    world = World()
    for number in range(6):
        on_devices(world, f"u{number}", f"device-{number}", f"device-{number + 1}")
    assert members(world, "u0") == ["u0", "u1", "u2"]
    assert set(members(world, "u3")) == {"u1", "u2", "u3", "u4", "u5"}


def test_cluster_adds_up() -> None:
    """Facts of a cluster count all of its members: cost, unpaid cost, disputes, blocked neighbours, age."""
    world = World()
    for number, user in enumerate(("u1", "u2", "u3")):
        on_devices(world, user, "device-1", at=NOW_MS - number * DAY_MS)
        world.report_cost(user, request_id=number + 1, cost=1000 * (number + 1))
    world.send(event("user.blocked", kilo_user_id="u2"))
    world.send(event("stripe.charge.dispute.created", kilo_user_id="u3", charge="ch_1"))
    world.send(event("stripe.payment_intent.succeeded", kilo_user_id="u3", amount=500))
    found = cluster_of(world, "u1")
    assert (len(found.members), found.blocked, found.disputes) == (3, 1, 1)
    assert (found.spent_microdollars, found.unpaid_microdollars) == (6000, 3000)
    assert found.since_ms == NOW_MS - 2 * DAY_MS


def test_swarm_below_every_limit_is_caught() -> None:
    """Accounts of one device that each stay far under the free tier's limit are refused once they pass it together."""
    world = World()
    actions = []
    for number in range(12):
        user = f"swarm{number}"
        world.sign_up(user, email=f"{'abcdefghijkl'[number]}@gmail.com", stytch_hardware_fingerprint="device-1")
        decision = world.classify(user, requested_model="auto-free")
        actions.append("free_tier_exhausted" in decision.signals)
        world.report_cost(user, request_id=decision.request_id, message_id="m", cost=120_000)
    assert actions == [False] * 9 + [True] * 3


def test_what_too_many_share_links_nobody() -> None:
    """Above the degree of its kind a device links nobody, while the count of its users goes on."""
    world = World()
    limit = LINK_THRESHOLDS["link_device_users"]
    for number in range(limit):
        on_devices(world, f"u{number}", "device-1")
    assert len(cluster_of(world, "u0").members) == limit
    on_devices(world, "more", "device-1")
    found = cluster_of(world, "u0")
    assert (len(found.members), found.device_users) == (1, limit + 1)


def test_degree_is_the_policys() -> None:
    """A policy says how many may share a thing, and an impossible number is refused."""
    degrees = link_degrees(policy_of(head="thresholds: {link_device_users: 2}").document.thresholds)
    world = World()
    for user in ("u1", "u2", "u3"):
        on_devices(world, user, "device-1")
    key, state = world.namer.identity("user:u1"), world.identity("user:u1")
    assert len(find_cluster(world.projection, key, state, degrees).members) == 1
    for number in (0, 256, 2.5):
        with pytest.raises(PolicyError, match="whole number from 1 to 255") as refused:
            policy_of(head=f"thresholds: {{link_card_users: {number}}}")
        assert refused.value.path == "thresholds.link_card_users"


def test_members_left_out_are_counted() -> None:
    """A cluster counts 256 accounts and says how many more were reached."""
    world = World()
    on_devices(world, "hub", *(f"device-{number}" for number in range(3)))
    for number in range(300):
        on_devices(world, f"u{number}", f"device-{number % 3}")
    found = cluster_of(world, "hub")
    assert (len(found.members), found.left_out) == (MOST_MEMBERS, 301 - MOST_MEMBERS)
    decision = world.classify("hub")
    assert (len(decision.cluster), decision.cluster_left_out) == (MOST_MEMBERS - 1, 301 - MOST_MEMBERS)


def test_cut_link_counts_no_more() -> None:
    """A link that an analyst cut reaches nobody from either side, until it is restored; a restart knows it."""
    world = World()
    for user in ("u1", "u2", "u3"):
        on_devices(world, user, "device-1")
    change(world, LINK_CUT, "u1", device(world, "device-1"))
    for told in (world, world.retold()):
        assert members(told, "u1") == ["u1"]
        assert members(told, "u2") == ["u2", "u3"]
        assert cluster_of(told, "u2").device_users == 2
        assert cluster_of(told, "u1").device_users == 1
    change(world, LINK_RESTORED, "u1", device(world, "device-1"))
    assert set(members(world, "u1")) == {"u1", "u2", "u3"}


def test_nobody_else_cuts_links() -> None:
    """A sender's event of the same name cuts nothing."""
    world = World()
    for user in ("u1", "u2"):
        on_devices(world, user, "device-1")
    world.send(event(LINK_CUT, kilo_user_id="u1"))
    assert members(world, "u1") == ["u1", "u2"]


def test_tie_counts_events() -> None:
    """A link says when it was seen first and last, and how many events said it."""
    world = World()
    for day in (2, 0, 1):
        on_devices(world, "u1", "device-1", at=NOW_MS - day * DAY_MS)
    assert world.identity("user:u1").strong[device(world, "device-1")] == (NOW_MS - 2 * DAY_MS, NOW_MS, 3)


def test_member_names_its_link() -> None:
    """Each member of a reach says over what and from whom it was reached."""
    world = World()
    on_devices(world, "u1", "device-1")
    on_devices(world, "u2", "device-1", "device-2")
    on_devices(world, "u3", "device-2")
    u1, u2, u3 = (world.namer.identity(f"user:{user}") for user in ("u1", "u2", "u3"))
    reached = find_reach(world.projection, u1, world.identity("user:u1"), DEGREES).members
    assert (reached[u2].via, reached[u2].source, reached[u2].hops) == (device(world, "device-1"), u1, 1)
    assert (reached[u3].via, reached[u3].source, reached[u3].hops) == (device(world, "device-2"), u2, 2)
