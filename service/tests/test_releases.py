"""A claim may release many events: they are counted in slices, once, over a crash, and decisions say how far."""

import json
from pathlib import Path
from typing import Any

import pytest

from abuse_service.events.event import REQUEST_CLASSIFIED
from abuse_service.features import projection
from abuse_service.identities.packing import pack
from abuse_service.identities.releases import Releases, release
from abuse_service.replay.past import explain_as_then
from abuse_service.settings import Settings
from abuse_service.testing import NOW_MS, World, event, stripe_event
from abuse_service.testing.lives import ask, running, send, signed_in
from abuse_service.wiring import Service, open_past

MANY = 300


def failed(number: int, **ids: Any) -> dict[str, Any]:
    """A failed charge that names nobody."""
    said = {"id": f"ch_{number}", "customer": "cus_1", "amount": 100 + number} | ids
    return stripe_event("stripe.charge.failed", said, NOW_MS + number, webhook_id=f"evt_{number:08}")


def claim(user: str = "u1", customer: str = "cus_1") -> dict[str, Any]:
    """An event that says whose a customer is."""
    paid = {"id": f"pi_{user}", "customer": customer, "amount": 5}
    return stripe_event(
        "stripe.payment_intent.succeeded", paid, NOW_MS, webhook_id=f"evt_claim_{user}", kilo_user_id=user
    )


def world_of(*told: dict[str, Any]) -> World:
    """A world that was told these one after the other."""
    world = World()
    for one in told:
        world.send(one)
    return world


def states_of(world: World) -> dict[bytes, bytes]:
    """Every state, packed."""
    return {key: pack(state) for key, state in world.states.all().items()}


def test_claim_counts_some_at_once_and_the_rest_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a claim releases beyond the first few is counted later, and the outcome is the same as at once."""
    told = [failed(number) for number in range(MANY)]
    monkeypatch.setattr(projection, "MOST_DELIVERED", 10**9)
    at_once = world_of(*told, claim())
    monkeypatch.undo()
    world = world_of(*told, claim())
    record = world.identity("user:u1").record
    assert sum(record.stripe.failures.values()) == projection.MOST_DELIVERED
    assert world.projection.is_delivering
    slices = 1
    while world.projection.deliver_some(7):
        slices += 1
    assert slices == -(-(MANY - projection.MOST_DELIVERED) // 7)
    assert sum(world.identity("user:u1").record.stripe.failures.values()) == MANY
    assert states_of(world) == states_of(at_once)
    assert world.states.joins.waiting_count == 0


def test_claims_of_two_in_the_midst_count_for_both_once() -> None:
    """While one's events are still being counted another claims the same id: both have all of them, entities once."""
    told = [failed(number) for number in range(MANY)]
    slow = world_of(*told, claim("u1"), claim("u2"))
    assert slow.states.joins.releases.reached is not None
    slow.projection.deliver_all()
    quick = world_of(*told, claim("u1"))
    quick.projection.deliver_all()
    quick.send(claim("u2"))
    quick.projection.deliver_all()
    assert states_of(slow) == states_of(quick)
    for user in ("u1", "u2"):
        assert sum(slow.identity(f"user:{user}").record.stripe.failures.values()) == MANY


def test_ids_of_released_events_lead_on() -> None:
    """An event that is reached by two ways counts once, however far apart its ways are."""
    chained = [failed(number, customer=f"cus_{number}", payment_intent=f"pi_{number}") for number in range(1, 80)]
    chained += [
        failed(1000 + number, customer=f"cus_{number}", payment_intent=f"pi_{number + 1}") for number in range(1, 80)
    ]
    chained += [failed(2000 + number, customer="cus_1", payment_intent=f"pi_{number}") for number in range(1, 80)]
    world = world_of(*chained, claim(customer="cus_1"))
    world.projection.deliver_all()
    assert sum(world.identity("user:u1").record.stripe.failures.values()) == len(chained)
    assert world.states.joins.waiting_count == 0


def test_releases_are_taken_in_their_order() -> None:
    """Positions that several owners have together go out together, each once an owner, and are open until then."""
    releases = Releases()
    assert (releases.reached, bool(releases)) == (None, False)
    first = release(9, [(b"a", [1, 2]), (b"b", [2, 3])])
    assert list(first.queue) == [(1, [b"a"]), (2, [b"a", b"b"]), (3, [b"b"])]
    releases.add(first)
    releases.add_further(b"a", [2, 4])
    assert (releases.reached, releases.is_open(2, b"b"), releases.is_open(4, b"a")) == ((9, 0), True, True)
    assert [releases.take() for _ in range(2)] == [(1, [b"a"]), (2, [b"a", b"b"])]
    assert (releases.reached, releases.is_open(2, b"b"), releases.is_open(3, b"b")) == ((9, 2), False, True)
    kept = Releases()
    kept.restore(releases.sample())
    releases.take()
    assert (kept.reached, kept.is_open(3, b"b"), kept.is_open(2, b"b")) == ((9, 2), True, False)
    assert [kept.take() for _ in range(2)] == [(3, [b"b"]), (4, [b"a"])]
    assert kept.first.is_done


async def told_much(service: Service, events: int) -> None:
    """Many events that name nobody."""
    for start in range(0, events, 100):
        await send(service, *(failed(number) for number in range(start, start + 100)))
    await service.flow.take_auth(signed_in("u1", event_type="signup"), "cloud")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is counted between two requests unless a test says so."""
    monkeypatch.setattr("abuse_service.replay.pending._IDLE_SECONDS", 3600.0)


@pytest.mark.usefixtures("slow")
async def test_image_and_crash_in_the_midst_lose_nothing(tmp_path: Path) -> None:
    """An image that was taken amid the counting, and what a power cut left: each goes on to the same records."""
    async with running(tmp_path / "data") as service:
        await told_much(service, 400)
        await send(service, claim())
        service.projection.deliver_some(50)
        await service.keeper.take()
        service.projection.deliver_some(30)
        assert service.projection.is_delivering
    async with running(tmp_path / "data") as again:
        assert not again.projection.is_delivering
        own = again.namer.identity("user:u1")
        record = again.projection.identity(own).record  # type: ignore[union-attr]
        assert sum(record.stripe.failures.values()) == 400
        card = again.projection.states.joins
        assert card.waiting_count == 0


@pytest.mark.usefixtures("slow")
async def test_decisions_meanwhile_say_how_far_it_was(tmp_path: Path) -> None:
    """A decision that is made amid the counting says so, and is made again from the log to the same value."""
    async with running(tmp_path / "data") as service:
        await told_much(service, 300)
        await ask(service, "u1")
        await send(service, claim())
        for most in (0, 40, 0, 90, 1):
            service.projection.deliver_some(most)
            await ask(service, "u1")
        await send(service, event("user.blocked", NOW_MS, kilo_user_id="u2"))
        service.projection.deliver_all()
        await ask(service, "u1")
        await service.store.settle()
    with open_past(Settings(data=tmp_path / "data")) as past:
        asked = [
            json.loads(stored.event.outcome or b"")
            for stored in past.log.read(0)
            if stored.event.type == REQUEST_CLASSIFIED
        ]
        reached = [outcome.get("delivering") for outcome in asked]
        assert [None if one is None else one[1] for one in reached] == [None, 64, 104, 104, 194, 195, None]
        for outcome in asked:
            assert explain_as_then(past, outcome["request_id"]).differences == []
