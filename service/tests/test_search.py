"""Who fits: searches held against looking at everybody, however crowded an entity is and wherever its crowd lies."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import Verdict
from abuse_service.events.entity import EntityKind
from abuse_service.identities import search as searching
from abuse_service.identities import state
from abuse_service.identities.mark import mark_of, marks_that
from abuse_service.identities.search import Sought, search
from abuse_service.identities.state import Decided, IdentityState
from abuse_service.identities.timeline import Wish, read_timeline
from abuse_service.testing import NOW_MS, World, event

ADDRESSES = [f"192.0.2.{number}" for number in range(3)]
DEVICES = ["hw-one-device", "hw-two-device"]


def take_image(world: World) -> None:
    """Bring all to the disk that is a dict."""
    world.states.begin_cut(world.log.last_position, ())
    cut = None
    while cut is None:
        cut = world.states.pack_some(100)
    world.cold.keep(cut)
    world.states.finish_cut()


def every_page(world: World, most: int, **sought: Any) -> list[str]:
    """The keys on all pages, one after the other."""
    found: list[str] = []
    after: bytes | None = b""
    while after is not None:
        page = search(world.states, world.cold.index, Sought(after=after, most=most, **sought))
        assert len(page.states) <= most
        found += [one.key for _, one in page.states]
        after = page.after
    return found


def keys_of(world: World, address: str | None, device: str | None) -> tuple[bytes, ...]:
    """The entities that a search names."""
    named = ((EntityKind.IP, address), (EntityKind.DEVICE, device))
    return tuple(world.namer.key(kind, value) for kind, value in named if value is not None)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("signin"),
            st.integers(0, 11),
            st.sampled_from(ADDRESSES),
            st.sampled_from(DEVICES),
            st.integers(-9, 0),
        ),
        st.tuples(st.sampled_from(["user.blocked", "user.unblocked"]), st.integers(0, 11)),
        st.just(("cut",)),
    ),
    max_size=60,
)


@settings(max_examples=120, deadline=None)
@given(
    steps=STEPS,
    address=st.sampled_from([None, *ADDRESSES]),
    device=st.sampled_from([None, *DEVICES]),
    is_blocked=st.sampled_from([None, True, False]),
    most=st.integers(1, 5),
)
def test_search_finds_all_who_fit(
    steps: list[tuple[Any, ...]], address: str | None, device: str | None, is_blocked: bool | None, most: int
) -> None:
    """Each who fits is found once, in one order, though states remember three members and three addresses only."""
    with pytest.MonkeyPatch.context() as patch:
        for room in (state, searching):
            patch.setattr(room, "MOST_MEMBERS", 3)
        patch.setattr(state, "MOST_WEAK", 3)
        world = World()
        seen: dict[str, set[str]] = {}
        blocked: dict[str, bool] = {}
        for number, step in enumerate(steps):
            if step == ("cut",):
                take_image(world)
                continue
            user = f"u{step[1]}"
            if step[0] == "signin":
                fields = {"ip_address": step[2], "stytch_hardware_fingerprint": step[3], "email": f"{user}@example.com"}
                world.sign_in(user, at=NOW_MS + step[4] * 1000 + number, **fields)
                seen.setdefault(user, set()).update(step[2:4])
            else:
                world.send(event(step[0], at=NOW_MS + number, kilo_user_id=user))
                blocked[user] = step[0] == "user.blocked"
                seen.setdefault(user, set())
        asked = {one for one in (address, device) if one is not None}
        wanted = {
            f"user:{user}"
            for user, said in seen.items()
            if asked <= said and is_blocked in (None, blocked.get(user, False))
        }
        marks = None if is_blocked is None else marks_that(is_blocked=is_blocked)
        found = every_page(world, most, entities=keys_of(world, address, device), marks=marks)
        assert sorted(found) == sorted(wanted)
        assert [world.namer.identity(key) for key in found] == sorted(map(world.namer.identity, found))


def test_crowd_is_complete() -> None:
    """An address with more accounts than its state remembers names each of them, on disk and in memory."""
    world = World()
    for number in range(700):
        world.sign_in(f"u{number}", ip_address=ADDRESSES[0], email=f"u{number}@example.com")
        if number == 400:
            take_image(world)
    found = every_page(world, 37, entities=keys_of(world, ADDRESSES[0], None))
    assert len(found) == 700
    assert set(found) == {f"user:u{number}" for number in range(700)}
    assert len(every_page(world, 500, entities=keys_of(world, ADDRESSES[0], DEVICES[0]))) == 0


def test_email_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who share a mailbox only those are found who once had the very address."""
    world = World()
    world.sign_in("plain", email="ada@gmail.com")
    world.sign_in("tagged", email="Ada+shop@gmail.com")
    mailbox = (world.namer.key(EntityKind.MAILBOX, "ada@gmail.com"),)
    assert sorted(every_page(world, 9, entities=mailbox)) == ["user:plain", "user:tagged"]
    assert every_page(world, 9, entities=mailbox, emails=("ada+shop@gmail.com",)) == ["user:tagged"]


def test_verdict_finds_its_identities() -> None:
    """Identities are found by their newest verdict, also when it changed since the last cut."""
    world = World()
    world.send(event("user.blocked", kilo_user_id="bad"))
    for user in ("bad", "good", "new"):
        world.classify(user)
    take_image(world)
    world.send(event("user.blocked", at=NOW_MS + 1, kilo_user_id="new"))
    world.classify("new", at=NOW_MS + 2)
    hard = marks_that(verdict=Verdict.HARD_BLOCK)
    assert sorted(every_page(world, 1, marks=hard)) == ["user:bad", "user:new"]
    assert every_page(world, 5, marks=marks_that(is_blocked=False)) == ["user:good"]


def test_page_that_looked_at_many_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few fit, a page looks at a bounded number of identities and its cursor goes on."""
    monkeypatch.setattr(searching, "MOST_LOOKED_AT", 10)
    world = World()
    for number in range(50):
        world.sign_in(f"u{number}", ip_address=ADDRESSES[0], email=f"u{number}@example.com")
    nobody = Sought(entities=keys_of(world, ADDRESSES[0], None), marks=marks_that(is_blocked=True))
    page = search(world.states, world.cold.index, nobody)
    assert (page.states, page.after is None) == ([], False)
    assert every_page(world, 50, entities=nobody.entities, marks=nobody.marks) == []


def test_looking_changes_nothing() -> None:
    """A search leaves in memory what was there."""
    world = World(most_hot=10)
    for number in range(300):
        world.sign_in(f"u{number}", ip_address=ADDRESSES[0], email=f"u{number}@example.com")
    take_image(world)
    hot = world.states.hot
    assert len(every_page(world, 50, entities=keys_of(world, ADDRESSES[0], None))) == 300
    assert world.states.hot == hot


@pytest.mark.parametrize("verdict", [None, *Verdict])
@pytest.mark.parametrize("is_blocked", [True, False])
def test_mark_says_both(verdict: Verdict | None, is_blocked: bool) -> None:
    """A mark is found by its block state, by its verdict, and by both."""
    world = World()
    world.send(event("user.blocked" if is_blocked else "user.unblocked", kilo_user_id="u1"))
    one: IdentityState = world.identity("user:u1")
    one.decisions = [Decided(NOW_MS, 1, verdict, None, ())] if verdict else []
    mark = mark_of(one)
    assert mark in marks_that()
    assert mark in marks_that(is_blocked=is_blocked)
    assert mark not in marks_that(is_blocked=not is_blocked)
    assert all((mark in marks_that(verdict=said)) == (said == verdict) for said in Verdict)


def test_timeline_is_cut_with_the_image() -> None:
    """After an image the timeline lies on the disk, and events behind it in memory."""
    world = World()
    world.sign_up(at=NOW_MS - 5)
    take_image(world)
    world.classify(at=NOW_MS - 4)
    key = world.namer.identity("user:u1")
    page = read_timeline(world.states.recent.entries(key), world.cold.index, key, Wish())
    assert len(page.entries) == 2
