"""Memberships: who belongs to which organization since when, whatever was told first."""

import pytest

from abuse_service.identities import facts
from abuse_service.identities.record import MOST_MOVES
from abuse_service.identities.state import MOST_MEMBERS
from abuse_service.identities.tenure import Tenure, tenures
from abuse_service.testing import NOW_MS, World, event, in_each_order, sent, signed_in

EARLIER, LATER = NOW_MS - 2000, NOW_MS - 1000


def member(world: World, organization_id: str = "o1", user: str = "u1") -> Tenure:
    """What holds between a user and an organization."""
    return tenures(world.record(user), world.projection.ended)[organization_id]


def test_own_events_own_memberships() -> None:
    """A snapshot that is stamped after a removal does not bring the member back; it fills what no event said."""
    snapshot = signed_in(LATER, org_memberships=[{"organization_id": "o1", "role": "owner", "plan": "teams"}])
    for world in in_each_order(sent("org.member_removed", EARLIER, organization_id="o1", role="member"), snapshot):
        assert member(world) == Tenure(False, role="member", plan="teams", until_ms=EARLIER)


def test_snapshot_alone_makes_a_member() -> None:
    """Where no event ever said so, a snapshot's membership counts."""
    for world in in_each_order(
        signed_in(EARLIER, org_memberships=[{"organization_id": "o1", "has_sso": True}]),
        signed_in(LATER, org_memberships=[]),
    ):
        assert member(world) == Tenure(True, has_sso=True, since_ms=EARLIER)
        assert facts.has_sso(world.record(), world.projection.ended)


@pytest.mark.parametrize("ending", ["org.member_removed", "org.deleted"])
def test_removal_ends_membership(ending: str) -> None:
    """A removal or the organization's end ends a membership; a later event begins it anew."""
    added, ended = sent("org.member_added", EARLIER, organization_id="o1"), sent(ending, LATER, organization_id="o1")
    for world in in_each_order(added, ended):
        assert member(world).is_member is False
    for world in in_each_order(added, ended, sent("org.member_added", NOW_MS, organization_id="o1")):
        assert member(world).is_member is True


def test_end_wins_within_one_instant() -> None:
    """Of an addition and a removal at one millisecond the removal stands, in either order."""
    for world in in_each_order(
        sent("org.member_added", LATER, organization_id="o1"), sent("org.member_removed", LATER, organization_id="o1")
    ):
        assert member(world).is_member is False


def test_deleted_user_is_no_member() -> None:
    """With the account every membership ends, also one that is told later."""
    for world in in_each_order(
        sent("user.deleted", EARLIER), sent("org.created", EARLIER - 1, organization_id="o1", has_sso=True)
    ):
        assert member(world).is_member is False
        assert not facts.has_sso(world.record(), world.projection.ended)
        assert world.record().deleted is not None
        assert member(world).until_ms == EARLIER


def test_since_and_until_are_told() -> None:
    """A membership tells since when it holds and when it ended; who comes back begins anew."""
    added, again = sent("org.member_added", EARLIER, organization_id="o1"), NOW_MS
    removed = sent("org.member_removed", LATER, organization_id="o1")
    for world in in_each_order(added, sent("org.created", EARLIER + 1, organization_id="o1")):
        assert (member(world).since_ms, member(world).until_ms) == (EARLIER, None)
    for world in in_each_order(added, removed, sent("org.deleted", NOW_MS, organization_id="o1")):
        assert (member(world).since_ms, member(world).until_ms) == (EARLIER, LATER)
    for world in in_each_order(added, removed, sent("org.member_added", again, organization_id="o1")):
        assert (member(world).since_ms, member(world).until_ms) == (again, None)


def test_newest_snapshot_counts_whole() -> None:
    """Who stands in no newer snapshot is no member any more; a snapshot without any says nothing."""
    for world in in_each_order(
        signed_in(EARLIER, org_memberships=[{"organization_id": "o1"}, {"organization_id": "o2"}]),
        signed_in(LATER, org_memberships=[{"organization_id": "o2"}]),
        signed_in(NOW_MS, org_memberships=[]),
    ):
        assert member(world) == Tenure(False, since_ms=EARLIER, until_ms=LATER)
        assert member(world, "o2") == Tenure(True, since_ms=EARLIER)


def test_end_of_organization_ends_every_membership() -> None:
    """``org.deleted`` names one user and ends everybody's membership, whoever was told of first."""
    said = {"organization_id": "o1", "plan": "teams", "has_sso": True}
    for world in in_each_order(
        sent("org.member_added", EARLIER, "u1", **said),
        sent("org.member_added", EARLIER, "u2", **said),
        signed_in(NOW_MS, "u3", org_memberships=[said]),
        sent("org.deleted", LATER, "u1", organization_id="o1"),
    ):
        for user in ("u1", "u2", "u3"):
            assert (member(world, user=user).is_member, member(world, user=user).until_ms) == (False, LATER)
            record = world.record(user)
            assert not facts.is_paying(record, world.projection.ended)
            assert not facts.has_sso(record, world.projection.ended)


def test_member_added_after_the_end_is_one() -> None:
    """Who is added to an organization after its end is a member again, whatever arrived first."""
    for world in in_each_order(
        sent("org.deleted", EARLIER, "u1", organization_id="o1"),
        sent("org.member_added", LATER, "u2", organization_id="o1"),
    ):
        assert member(world, user="u2") == Tenure(True, since_ms=LATER)


def test_end_reaches_members_beyond_the_remembered() -> None:
    """An organization remembers its first members only; its end is everybody's all the same."""
    world = World()
    users = [f"u{number}" for number in range(MOST_MEMBERS + 5)]
    world.send(*[event("org.member_added", EARLIER, kilo_user_id=user, organization_id="o1") for user in users])
    world.send(event("org.deleted", LATER, kilo_user_id="u1", organization_id="o1"))
    assert not any(member(world, user=user).is_member for user in users)


def test_rules_read_the_end() -> None:
    """A decision on a member whose organization ended reads that he pays no more and has no single sign-on."""
    world = World()
    world.send(event("org.member_added", EARLIER, kilo_user_id="u2", organization_id="o1", plan="teams", has_sso=True))
    situation = world.identity("user:u2").record, world.projection.ended
    assert (facts.is_on_paid_plan(*situation), facts.has_sso(*situation)) == (True, True)
    world.send(event("org.deleted", LATER, kilo_user_id="u1", organization_id="o1"))
    assert (facts.is_on_paid_plan(*situation), facts.has_sso(*situation)) == (False, False)


def test_moves_are_bounded() -> None:
    """Of a user who comes and goes the newest moves stay."""
    world = World()
    for number in range(3 * MOST_MOVES):
        name = "org.member_added" if number % 2 == 0 else "org.member_removed"
        world.send(event(name, EARLIER + number, kilo_user_id="u1", organization_id="o1"))
    moves = world.record().memberships["o1"].moves
    assert [stamp[0] - EARLIER for stamp, _ in moves] == list(range(2 * MOST_MOVES, 3 * MOST_MOVES))


def test_too_many_organizations_are_bounded() -> None:
    """A record keeps a thousand organizations, the same ones in every order."""
    names = [f"o{number:04}" for number in range(1100)]
    records = []
    for order in (names, names[::-1]):
        world = World()
        world.send(*[event("org.member_added", NOW_MS, kilo_user_id="u1", organization_id=name) for name in order])
        records.append(world.record())
    assert len(records[0].memberships) == 1000
    assert records[0] == records[1]
