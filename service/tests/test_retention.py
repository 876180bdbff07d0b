"""Events leave the log after a time: records keep what they said, and everything goes on from the image."""

import json
from pathlib import Path

import pytest

from abuse_service.errors import RefusedToStart
from abuse_service.identities.packing import pack
from abuse_service.replay import recover
from abuse_service.replay.retention import RetentionKeeper
from abuse_service.settings import Settings
from abuse_service.testing import NOW_MS, event
from abuse_service.testing.lives import OTHER, USER, ask, erase, every_key, left_in, running, send, tell_life
from abuse_service.wiring import Service

LATER_MS = NOW_MS + 10 * 86_400_000


@pytest.fixture(autouse=True)
def no_rounds_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test says when a round begins."""
    monkeypatch.setattr("abuse_service.replay.eraser._LOOK_SECONDS", 3600.0)


async def drop_old(service: Service, at_ms: int = LATER_MS, days: float = 5.0) -> int:
    """Let the clock stand at an instant, and drop what is older than so many days."""
    keeper = RetentionKeeper(service.store, service.projection, service.flow.metrics, lambda: at_ms, days)
    return await keeper.drop()


def states_of(service: Service) -> dict[bytes, bytes]:
    """Every state."""
    states = service.projection.states
    return {key: pack(found) for key in every_key(service) if (found := states.find(key)) is not None}


async def test_records_outlive_their_events(tmp_path: Path) -> None:
    """What is too old leaves the log and its file once an image holds it; every state stays, also over a restart."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        await send(
            service, event("billing.credit_purchased", NOW_MS + 500, kilo_user_id=OTHER, microdollars_acquired=1)
        )
        assert await drop_old(service, at_ms=NOW_MS) == 0
        held = service.store.latest_snapshot()
        assert held is not None
        assert await drop_old(service) > 10
        assert service.store.first_position == held.position + 1
        before, last = states_of(service), service.store.last_position
        read = [stored.position for stored in service.store.read(held.position)]
        assert read == list(range(held.position + 1, last + 1))
        assert service.store.find(5) is None
        request = await ask(service, OTHER)
        assert request["request_id"] > 0
    async with running(data) as again:
        own = again.namer.identity(f"user:{OTHER}")
        assert {key: kept for key, kept in states_of(again).items() if key != own and key in before} == {
            key: kept for key, kept in before.items() if key != own
        }
        assert again.projection.identity(own).record.credits.paid_microdollars == 3_000_001
        assert again.store.last_position > last


async def test_what_must_be_read_again_stays(tmp_path: Path) -> None:
    """Policies and what operators wrote in lists are there at any age; a repeat of a dropped event is still one."""
    data = tmp_path / "data"
    bought = event("billing.credit_purchased", NOW_MS, kilo_user_id=OTHER, microdollars_acquired=1)
    async with running(data) as service:
        await tell_life(service)
        await send(service, bought)
        await service.keeper.take()
        version = service.flow.judge.policy.version
        assert await drop_old(service) > 10
        answer = await service.flow.take_events(json.dumps({"events": [bought]}).encode(), "cloud")
        assert (answer.accepted, answer.duplicates) == (0, 1)
    async with running(data) as again:
        assert again.versions.book.active == version
        assert again.versions.book.text(version)
        listed = [stored.event.type for stored in again.store.read(0)]
        assert listed.count("service.list_changed") == 3


async def test_features_that_are_filled_hold_the_log(tmp_path: Path) -> None:
    """While a new feature reads the past nothing of it is dropped."""
    async with running(tmp_path / "data") as service:
        await tell_life(service)
        await service.keeper.take()
        task = service._keeping[1]
        task.cancel()
        text = service.flow.judge.policy.text
        named = "  fresh: {entity: user, events: [user.blocked], aggregate: count, window: 30d}\n"
        reader = "  - {id: fresh-reader, title: t, signal: s, reason: r, weight: 0, mode: 'off', when: fresh > 1}\n"
        changed = text.replace("\nfeatures:\n", f"\nfeatures:\n{named}", 1).replace(
            "\nrules:\n", f"\nrules:\n{reader}", 1
        )
        assert await service.versions.activate(changed, reason="try", actor="operator")
        assert service.projection.upkeep.filling
        assert await drop_old(service) == 0
        while service.projection.upkeep.filling:
            service.filler.fill_some(seconds=1.0)
        assert await drop_old(service) > 10


async def test_erasure_after_the_log_was_dropped(tmp_path: Path) -> None:
    """Whoever is erased when his events are gone is taken out of the record itself, which keeps what it counted."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        await service.keeper.take()
        assert await drop_old(service) > 10
        assert left_in(data)
        await send(service, event("user.blocked", NOW_MS + 600, kilo_user_id=USER, reason="sold keys to Babbage"))
        own = service.namer.identity(f"user:{USER}")
        before = service.projection.identity(own).record
        counted = (before.spend, before.credits.paid_microdollars, len(before.blocks), len(before.stripe.charges))
        await erase(service, "operator")
        assert left_in(data) == []
        after = service.projection.identity(own).record
        assert (after.spend, after.credits.paid_microdollars, len(after.blocks), len(after.stripe.charges)) == counted
    async with running(data) as again:
        assert left_in(data) == []
        assert again.projection.identity(own).record == after


async def test_base_is_never_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that can't read the image refuses to start once the log lacks what it holds, and changes nothing."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        assert await drop_old(service) > 10
        before = states_of(service)
    with monkeypatch.context() as patch:
        patch.setattr(recover, "STATE_FORMAT", 1)
        with pytest.raises(RefusedToStart, match="the log begins at position"):
            Service(Settings(data=data))
    async with running(data) as again:
        assert states_of(again).keys() >= before.keys()
