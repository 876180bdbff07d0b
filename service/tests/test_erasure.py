"""Being forgotten: of an erased person no file holds a byte, and everything else is as it was."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from abuse_service.errors import StorageUnavailable
from abuse_service.events.event import Event
from abuse_service.events.scrub import is_erased_name
from abuse_service.identities.packing import pack
from abuse_service.identities.state import IdentityState
from abuse_service.storage import statements
from abuse_service.storage.blocks import checksum, pack_events
from abuse_service.storage.directory import DATABASE_NAME, DataDirectory
from abuse_service.storage.erase import empty_log, rewrite_events
from abuse_service.storage.key_file import key_file_beside
from abuse_service.testing import NOW_MS, event, stripe_event
from abuse_service.testing.lives import (
    OTHER,
    SAID,
    USER,
    ask,
    compare,
    erase,
    left_in,
    post,
    running,
    send,
    signed_in,
    states_but,
    tell_life,
)


@pytest.mark.parametrize("trigger", ["user.deleted", "operator"])
async def test_no_byte_of_the_erased_stays(tmp_path: Path, trigger: str) -> None:
    """By either way: no file holds a byte of the person; every other state is the same; and told again from the log
    alone, every state is the live one."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        assert {text for _, text in left_in(data)} >= set(SAID) - {"the analytical engine weaves"}
        before = states_but(service, USER)
        features = dict(service.projection.identity(service.namer.identity(f"user:{USER}")).features)
        await erase(service, trigger)
        assert left_in(data) == []
        assert states_but(service, USER) == before
        state = service.projection.identity(service.namer.identity(f"user:{USER}"))
        assert state.features == features
        assert is_erased_name(state.key)
        assert state.record.credits.paid_microdollars == 5_000_000
        compare(service)
        await service.keeper.take()
        assert left_in(data) == []
    async with running(data) as again:
        compare(again)
        assert left_in(data) == []
        assert not again.projection.erasures.pending


async def test_late_events_bring_nothing_back(tmp_path: Path) -> None:
    """Whatever comes of an erased person later, by name or by an id, repeated or broken, is kept without him."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        await erase(service, "user.deleted")
        answer = await ask(service, USER, ip_address="198.51.100.77", user_agent="AdaBrowser/1.0")
        assert answer["context"]["identity_key"] == f"user:{USER}"
        mail = {"email": "ada.lovelace@example.com", "ip_address": "198.51.100.77", "geo_city": "Analytical City"}
        told = json.loads(await service.flow.take_auth(signed_in(USER, **mail), "cloud"))
        assert told["identity_key"] == f"user:{USER}"
        cost = {"request_id": answer["request_id"], "message_id": "ada-message-id", "cost": 7, "kilo_user_id": USER}
        await service.flow.take_cost(json.dumps(cost).encode(), "cloud")
        # One that names nobody: whose it is, the request says.
        cost |= {"message_id": "another", "kilo_user_id": None, "ip_address": "198.51.100.77"}
        await service.flow.take_cost(json.dumps(cost).encode(), "cloud")
        await send(
            service,
            event("user.email_changed", NOW_MS, kilo_user_id=USER, email="ada.secret@example.net"),
            event("user.email_changed", NOW_MS, kilo_user_id=USER, email=7, previous_email="ada.secret@example.net"),
            event("user.blocked", NOW_MS + 1, reason="ada.lovelace@example.com"),
            stripe_event("stripe.charge.failed", {"id": "ch_AdaLovelace1", "amount": 9}, NOW_MS + 200),
            stripe_event("stripe.charge.failed", {"charge": "ch_9", "customer": "cus_AdaLovelace1"}, NOW_MS + 201),
            event("user.deleted", NOW_MS + 202, kilo_user_id=USER),
        )
        await post(service, "lists/blocked/add", entry=f"user:{USER}", reason="known from the salon")
        await service.eraser.erase_pending()
        await service.keeper.take()
        assert left_in(data) == []
        record = service.projection.identity(service.namer.identity(f"user:{USER}")).record
        assert record.stripe.failures == {"unknown": 2}
        compare(service)


@pytest.mark.parametrize("has_checksums", [True, False])
def test_scrubbed_rows_stay_in_place(tmp_path: Path, has_checksums: bool) -> None:
    """No row of the log moves within the file when one of its events is erased: a row that moved leaves bytes behind,
    and a checksum that became wider or narrower would move it."""
    directory = DataDirectory(tmp_path / "data")
    connection = directory.connect()
    directory.prepare(connection)
    connection.execute("BEGIN")
    for position in range(1, 121, 2):
        told = [Event("t", "cloud", 0, 0, f"{kind}-{position:04}".encode() * 20) for kind in ("stays", "goes")]
        body = pack_events(told)
        summed = checksum(position, body) if has_checksums else None
        connection.execute(statements.ADD_BLOCK, (position, 2, body, summed))
    connection.execute("COMMIT")

    def places() -> list[int]:
        assert empty_log(connection)
        kept = (tmp_path / "data" / DATABASE_NAME).read_bytes()
        return [kept.find(f"stays-{position:04}".encode()) for position in range(1, 121, 2)]

    before = places()
    rewrite_events(connection, {position: Event("t", "cloud", 0, 0, b"{}") for position in range(2, 122, 2)})
    assert places() == before
    assert b"goes-" not in (tmp_path / "data" / DATABASE_NAME).read_bytes()
    connection.close()
    directory.close()


class PowerCut(BaseException):
    """The process is gone."""


STEPS = ("settle", "replace", "blank_rejected", "clean", "finish")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_power_cut_anywhere_is_made_good(
    tmp_path: Path, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a power cut falls into an erasure, the next start brings it to its end."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        holder = service.store if step == "settle" else service.store.erasures
        whole = getattr(holder, step)

        async def cut(*given: Any) -> None:
            if when == "after":
                await whole(*given)
            raise PowerCut

        monkeypatch.setattr(holder, step, cut)
        await send(service, event("user.deleted", NOW_MS + 100, kilo_user_id=USER))
        with pytest.raises(PowerCut):
            await service.eraser.erase_pending()
        monkeypatch.undo()
    async with running(data) as again:
        await again.eraser.erase_pending()
        assert left_in(data) == []
        compare(again)


SPEAKING = (
    {"type": "game.played", "data": {"player": USER}},
    {"type": "game.played", "data": "ada.lovelace@example.com"},
    {"type": "game.played", "kilo_user_id": f"user:{USER}", "data": {"score": 3}},
    {"type": "stripe.charge.failed", "data": {"receipt_email": "ada.lovelace@example.com"}},
    {"type": "stripe.charge.failed", "data": {"charge": "ch_unclaimed", "receipt_email": "ada.lovelace@example.com"}},
    {"type": "user.blocked", "data": {"reason": "Ada <ada.lovelace@example.com>, the analyst"}},
    {"type": "user.blocked", "data": {"reason": f"see user:{USER}."}},
    {"type": "user.blocked", "data": {"ip": "198.51.100.77"}},
    {"type": "user.blocked", "data": {"note": f"{'long ' * 300} {USER}"}},
    "ada.lovelace@example.com",
    ["ada.lovelace@example.com"],
)


@pytest.mark.parametrize("is_late", [False, True])
async def test_what_speaks_of_the_erased_is_found(tmp_path: Path, is_late: bool) -> None:
    """An event that names nobody, of an unknown type, unclaimed or rejected, is looked into, word by word."""
    data = tmp_path / "data"
    async with running(data) as service:
        await tell_life(service)
        if is_late:
            await erase(service, "user.deleted")
        before = service.store.last_position
        await send(service, *SPEAKING, {"type": "game.played", "data": {"player": "somebody-else"}})
        if not is_late:
            await service.keeper.take()
            await erase(service, "user.deleted")
        await service.store.settle()
        await service.keeper.take()
        assert left_in(data) == []
        bodies = [stored.event.body for stored in service.store.read(before)]
        assert b"somebody-else" in bodies[5]
        compare(service)
        # Whoever claims one of them later has it as it is kept.
        link = {"customer": "cus_other", "charge": "ch_unclaimed", "kilo_user_id": OTHER}
        await send(service, event("stripe.charge.failed", NOW_MS + 300, **link))
        record = service.projection.identity(service.namer.identity(f"user:{OTHER}")).record
        assert record.stripe.failures == {"unknown": 2}
        compare(service)


async def test_number_may_be_an_id(tmp_path: Path) -> None:
    """A user's id that was sent as a number is one where the field is an id, and no amount."""
    async with running(tmp_path / "data") as service:
        wrong = [
            {"type": "user.blocked", "data": {name: 4711, "name": "a secret"}} for name in ("kilo_user_id", "cost")
        ]
        await send(service, event("user.blocked", NOW_MS, kilo_user_id="4711"), *wrong)
        await send(service, event("user.deleted", NOW_MS + 1, kilo_user_id="4711"))
        await service.eraser.erase_pending()
        rejected = [service.quarantine.find_rejected(rejected_id) for rejected_id in (1, 2)]
        assert [b"a secret" in entry.body for entry in rejected] == [False, True]


@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_events_learned_late_are_erased(tmp_path: Path, is_cut_off: bool) -> None:
    """An event that turns out to be an erased one's only after it was kept is erased too: one that waited under an id
    that he claims later, and one of a batch whose event before it says whose it is; also after a power cut."""
    data = tmp_path / "data"
    secret = {"receipt_email": "ada.lovelace@example.com"}
    async with running(data) as service:
        await tell_life(service)
        await send(
            service, stripe_event("stripe.charge.dispute.created", {"charge": "ch_early"} | secret, NOW_MS, "evt_1")
        )
        await erase(service, "user.deleted")
        link = {"customer": "cus_AdaLovelace1"}
        await send(
            service,
            stripe_event("stripe.charge.failed", {"charge": "ch_early"} | link, NOW_MS + 1, "evt_2"),
            stripe_event("stripe.charge.failed", {"charge": "ch_late"} | link, NOW_MS + 2, "evt_3"),
            stripe_event("stripe.charge.dispute.created", {"charge": "ch_late"} | secret, NOW_MS + 3, "evt_4"),
        )
        if is_cut_off:
            await service.keeper.take()
            await service.store.settle()
        else:
            await service.eraser.erase_pending()
            assert left_in(data) == []
            compare(service)
    async with running(data) as again:
        await again.eraser.erase_pending()
        assert left_in(data) == []
        assert not again.projection.erasures.pending
        compare(again)


async def test_full_disk_delays_an_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk takes nothing an erasure waits, is shown as in progress, and is carried out later."""
    async with running(tmp_path / "data") as service:
        await tell_life(service)
        for task in service._keeping:
            task.cancel()
        whole = service.store.erasures.replace

        async def refuse(*_: Any) -> None:
            raise StorageUnavailable

        monkeypatch.setattr(service.store.erasures, "replace", refuse)
        await send(service, event("user.deleted", NOW_MS + 100, kilo_user_id=USER))
        with pytest.raises(StorageUnavailable):
            await service.eraser.erase_pending()
        assert len(service.projection.erasures.pending) == 1
        await ask(service, USER)
        monkeypatch.setattr(service.store.erasures, "replace", whole)
        await service.eraser.erase_pending()
        assert left_in(tmp_path / "data") == []
        compare(service)


async def test_restored_backup_is_erased_first(tmp_path: Path) -> None:
    """A backup from before an erasure has it applied again before the service serves."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    async with running(data) as service:
        await tell_life(service)
    shutil.copytree(data, backup)
    async with running(data) as service:
        await erase(service, "user.deleted")
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    assert left_in(data)
    async with running(data) as again:
        assert left_in(data) == []
        compare(again)
        assert key_file_beside(data).exists()


async def test_what_others_share_stays_theirs(tmp_path: Path) -> None:
    """An event that another claims as well stays his, whole; the erased one's record tells it without ids."""
    async with running(tmp_path / "data") as service:
        customer = {"customer": "cus_AdaLovelace1"}
        await send(
            service,
            stripe_event("stripe.charge.failed", {"id": "ch_1", **customer}, NOW_MS, kilo_user_id=USER),
            stripe_event("stripe.charge.failed", {"id": "ch_2", **customer}, NOW_MS + 1, kilo_user_id=OTHER),
            stripe_event("stripe.charge.failed", {"id": "ch_3", **customer}, NOW_MS + 2),
        )
        other = service.namer.identity(f"user:{OTHER}")
        before = pack(service.projection.identity(other))
        await erase(service, "user.deleted")
        assert pack(service.projection.identity(other)) == before
        bodies = [stored.event.body for stored in service.store.read(0) if stored.event.type.startswith("stripe.")]
        assert [b"cus_AdaLovelace1" in body for body in bodies] == [False, True, True]
        own = pack(service.projection.identity(service.namer.identity(f"user:{USER}")))
        assert b"cus_AdaLovelace1" not in own
        compare(service)
        await send(service, event("user.deleted", NOW_MS + 100, kilo_user_id=OTHER))
        await service.eraser.erase_pending()
        assert left_in(tmp_path / "data") == []
        compare(service)


async def test_many_are_erased_while_requests_go_on(tmp_path: Path) -> None:
    """Hundreds of deletions at once, and requests and events of the same users meanwhile: all come to their end."""
    data = tmp_path / "data"
    async with running(data) as service:
        users = [f"member-of-the-crowd-{number}" for number in range(300)]
        for user in users:
            await service.flow.take_auth(signed_in(user, ip_address=f"198.51.100.{len(user)}"), "cloud")
        await send(service, *(event("user.deleted", NOW_MS + 100, kilo_user_id=user) for user in users))
        erasing = asyncio.create_task(service.eraser.erase_pending())
        for user in users[::7]:
            assert (await ask(service, user))["request_id"] > 0
            await send(service, event("user.blocked", NOW_MS + 200, kilo_user_id=user, reason=user))
        await erasing
        await service.store.settle()
        await service.keeper.take()
        await service.store.erasures.clean([])
        kept = (data / "abuse.db").read_bytes()
        assert [user for user in users if user.encode() in kept] == []
        compare(service)


async def test_without_tokens_no_hash_stays(tmp_path: Path) -> None:
    """With the setting, events of the erased keep neither tokens nor the entities that they named."""
    async with running(tmp_path / "data", erase_tokens=True) as service:
        await tell_life(service)
        own = service.namer.identity(f"user:{USER}")
        await erase(service, "user.deleted")
        assert left_in(tmp_path / "data") == []
        theirs = [stored.event for stored in service.store.read(0) if stored.event.identity_entity == own]
        assert len(theirs) > 20
        for one in theirs:
            assert (one.entities, one.joins) == ((), ())
            assert service.namer.tokens.of(USER).encode() not in one.body
        state = service.projection.identity(own)
        assert isinstance(state, IdentityState)
        assert (state.strong, state.weak) == ({}, {})


@pytest.fixture(autouse=True)
def no_rounds_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test says when a round begins."""
    monkeypatch.setattr("abuse_service.replay.eraser._LOOK_SECONDS", 3600.0)
