"""The embedded store, in one process: what was acknowledged is there once, also after the power went out."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from abuse_service.errors import DirectoryInUse, NotFound, RefusedToStart, StorageUnavailable
from abuse_service.events.event import Event
from abuse_service.events.log import Appended, Rejected
from abuse_service.features.upkeep import Kept
from abuse_service.identities.state import EntityState
from abuse_service.identities.states import States
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage.directory import DATABASE_NAME
from abuse_service.storage.key_file import key_file_beside
from abuse_service.storage.store import SqliteStore
from abuse_service.testing import EVENT_KEYS, NOW_MS, MemoryLog

WAITING_BYTES = 2**20


def purchase(event_id: str | None = None, body: bytes = b"{}") -> Event:
    """An event, with an id or without one."""
    key = EVENT_KEYS.of_id("cloud", "billing.credit_purchased", event_id) if event_id else b""
    return Event(
        "billing.credit_purchased", "cloud", NOW_MS, NOW_MS, body, key, EVENT_KEYS.digest(body) if key else b""
    )


def request(request_id: int, event_id: str | None = None) -> Event:
    """A request with its decision."""
    key = EVENT_KEYS.of_id("cloud", "request.classified", event_id) if event_id else b""
    return Event("request.classified", "cloud", NOW_MS, NOW_MS, b"{}", key, outcome=b"{}", request_id=request_id)


def refused(body: bytes = b"{}") -> Rejected:
    """An event that could not be taken."""
    return Rejected(received_at_ms=NOW_MS, source="cloud", index=3, path="data.email", message="required", body=body)


def open_store(path: Path, waiting_bytes: int = WAITING_BYTES) -> SqliteStore:
    """A started store on the running loop."""
    store = SqliteStore(path, waiting_bytes)
    store.start(asyncio.get_running_loop())
    return store


def after_power_cut(store: SqliteStore, path: Path) -> SqliteStore:
    """A store on a copy of the directory as it is on disk now, the first one never closed."""
    shutil.copytree(store.directory.path, path)
    shutil.copy(key_file_beside(store.directory.path), key_file_beside(path))
    return open_store(path)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store in a fresh directory."""
    store = open_store(tmp_path / "data")
    yield store
    store.close()


async def take_image(store: SqliteStore, states: States | None = None) -> None:
    """Write an image of some states, which also moves the index to its tables."""
    states = states or States(store, most_hot=100)
    states.begin_cut(store.last_position, store.pending_requests)
    cut = states.pack_some(1000)
    assert cut is not None
    await store.write_snapshot(cut, Snapshot(store.last_position, store.pending_requests, Kept({"f": 0})))
    states.finish_cut()


# exactly once


async def test_positions_run_without_a_gap(store: SqliteStore) -> None:
    """Events stand in the log in the order of their commit, from 1, each at the position that was told."""
    told = [await store.append([purchase(body=b"%d" % number)] * (number + 1)) for number in range(3)]
    assert [list(appended.positions) for appended in told] == [[1], [2, 3], [4, 5, 6]]
    assert [(one.position, one.event.body) for one in store.read(0)] == [
        (1, b"0"), (2, b"1"), (3, b"1"), (4, b"2"), (5, b"2"), (6, b"2"),
    ]  # fmt: skip


async def test_repeat_within_a_batch(store: SqliteStore) -> None:
    """Of two copies in one batch the first is kept; events without an id are kept each."""
    appended = await store.append([purchase("a"), purchase(), purchase("a"), purchase(), purchase("b")])
    assert appended == Appended([1, 2, 0, 3, 4])


async def test_repeat_across_one_commit(store: SqliteStore) -> None:
    """Batches that are committed together know of each other."""
    waiting = [store.append([purchase("a"), purchase(str(number))]) for number in range(20)]
    told = await asyncio.gather(*waiting)
    assert [appended.duplicates for appended in told] == [0] + [1] * 19
    assert store.last_position == 21


@pytest.mark.parametrize("has_image", [False, True])
async def test_repeat_after_power_cut(store: SqliteStore, tmp_path: Path, has_image: bool) -> None:
    """Ids are known again after the power went out, from the log or from the tables that an image left."""
    await store.append([purchase("a"), purchase("b")])
    if has_image:
        await take_image(store)
    await store.append([purchase("c")])
    again = after_power_cut(store, tmp_path / "copy")
    appended = await again.append([purchase("a"), purchase("c"), purchase("d"), purchase("b")])
    again.close()
    assert appended == Appended([0, 0, 4, 0])


@pytest.mark.parametrize("when", ["same batch", "later", "after an image", "after a power cut"])
async def test_other_content_is_a_conflict(store: SqliteStore, tmp_path: Path, when: str) -> None:
    """The same id with other content is told as a conflict, whenever the second copy comes."""
    pair = [purchase("a", b"1"), purchase("a", b"2")]
    if when == "same batch":
        assert (await store.append(pair)).conflicts == (1,)
        return
    await store.append(pair[:1])
    if when == "after an image":
        await take_image(store)
    later = after_power_cut(store, tmp_path / "copy") if when == "after a power cut" else store
    appended = await later.append([purchase("b"), pair[0], pair[1]])
    assert (list(appended.positions), appended.conflicts) == ([2, 0, 0], (2,))
    if later is not store:
        later.close()


async def test_twin_in_memory_tells_the_same(store: SqliteStore) -> None:
    """The log in memory, which tests use, answers as the store does."""
    batches: Sequence[list[Event]] = [
        [purchase("a"), purchase()],
        [purchase("a", b"2"), purchase("b"), purchase("b")],
        [],
    ]
    memory = MemoryLog()
    for events in batches:
        told, kept = await store.append(events), memory.keep(events)
        assert (list(told.positions), told.conflicts) == (list(kept.positions), kept.conflicts)
    for log in (store, memory):
        log.record(request(7, "r"))
        log.record(request(8, "r"))
        await log.settle()
    assert list(store.read(0)) == list(memory.read(0))
    assert store.find_request(7) == memory.find_request(7)
    assert store.find_event(request(7, "r").event_key) == memory.find_event(request(7, "r").event_key)


async def test_then_runs_before_the_caller(store: SqliteStore) -> None:
    """What follows a commit runs once for each append, in the order of positions, before its caller goes on."""
    told: list[int] = []
    for _ in range(10):
        waiting = [
            store.append([purchase(), purchase()], then=lambda appended: told.extend(appended.positions))
            for _ in range(10)
        ]
        await waiting[0]
        assert told[:2] == [1, 2]
        await asyncio.gather(*waiting)
    assert told == list(range(1, 201))


async def test_one_failure_stays_alone(store: SqliteStore) -> None:
    """When what follows one caller's commit fails, he is told; those committed beside him get their answers."""

    def fail(appended: Appended) -> None:
        raise LookupError(appended.positions)

    appends = [store.append([purchase()], then=fail if number == 1 else None) for number in range(4)]
    told = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(one) for one in told] == [Appended, LookupError, Appended, Appended]
    assert store.has_room


async def test_failed_task_ends_no_writer(store: SqliteStore) -> None:
    """A write that fails by a mistake of its own is told as that, and the next ones go on."""

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta (name, value) VALUES ('half', 'done')")
        raise LookupError

    with pytest.raises(LookupError):
        await store._run(fail)
    assert (await store.append([purchase()])).last_position == 1
    assert store._reader.execute("SELECT count(*) FROM meta WHERE name = 'half'").fetchone() == (0,)


# reading


@pytest.mark.parametrize(("after", "limit"), [(0, 0), (0, 3), (1, 2), (2, 0), (3, 1), (9, 5), (10, 0), (99, 0)])
async def test_read_crosses_blocks(store: SqliteStore, after: int, limit: int) -> None:
    """Reading begins behind any position, inside a block too, and gives no more than was asked for."""
    for size in (1, 2, 3, 4):
        await store.append([purchase()] * size)
    positions = [one.position for one in store.read(after, limit)]
    assert positions == list(range(1, 11))[after : after + limit if limit else None]


async def test_find_gives_the_event(store: SqliteStore, tmp_path: Path) -> None:
    """An event is found by its position, and a recorded request by its id and its event's key, also after images."""
    await store.append([purchase(body=b"1"), purchase(body=b"2")])
    store.record(request(7, "r"))
    await store.settle()
    for at in (store, after_power_cut(store, tmp_path / "copy")):
        for _ in range(2):
            assert [found and found.event.body for found in map(at.find, (1, 2, 4, 0))] == [b"1", b"2", None, None]
            by_id, by_key = at.find_request(7), at.find_event(request(7, "r").event_key)
            assert by_id is not None
            assert by_id.position == 3
            assert by_id == by_key
            assert at.find_request(8) is None
            await take_image(at)
    at.close()


# request ids


async def test_request_ids_never_repeat(tmp_path: Path) -> None:
    """Ids go up by one, and a store that starts after the power went out issues none of them again."""
    store = open_store(tmp_path / "data")
    ids = [store.next_request_id() for _ in range(1000)]
    assert ids == list(range(1, 1001))
    path = tmp_path / "copy"
    for number in range(3):
        again = after_power_cut(store, path / str(number))
        fresh = again.next_request_id()
        assert fresh > ids[-1]
        ids += [fresh, *(again.next_request_id() for _ in range(100))]
        store.close()
        store = again
    assert len(set(ids)) == len(ids)
    store.close()


async def test_ids_go_on_past_a_block(store: SqliteStore) -> None:
    """More ids than one reserved block are issued in one run, as long as the disk takes the next reservation."""
    ids = []
    for number in range(250_000):
        ids.append(store.next_request_id())
        if number % 10_000 == 0:
            await store.settle()
    assert ids == list(range(1, 250_001))


async def test_no_id_without_a_reservation(store: SqliteStore) -> None:
    """When the reserved ids are used up and the disk gave no further ones, 0 says so."""
    ids = [store.next_request_id() for _ in range(100_001)]
    assert ids[-2:] == [100_000, 0]
    await store.settle()
    assert store.next_request_id() == 100_001


# records


async def test_record_is_pending_until_durable(store: SqliteStore) -> None:
    """A recorded request counts as pending until its commit was told."""
    store.record(request(7))
    assert store.pending_requests == (7,)
    assert store.find_request(7) is None
    await store.settle()
    assert store.pending_requests == ()
    assert store.find_request(7) is not None


async def test_repeated_record_is_not_pending(store: SqliteStore) -> None:
    """A record that turns out to be a repeat is no longer pending either."""
    store.record(request(7, "r"))
    store.record(request(8, "r"))
    await store.settle()
    assert store.pending_requests == ()
    assert [one.event.request_id for one in store.read(0)] == [7]


async def test_append_is_refused_when_too_much_waits(tmp_path: Path) -> None:
    """When more bytes wait than the bound allows, an append is refused and nothing of it is kept."""
    store = open_store(tmp_path / "data", waiting_bytes=2**12)
    first = store.append([purchase(body=b"1" * 2**12)])
    assert not store.has_room
    with pytest.raises(StorageUnavailable, match="nothing was acknowledged"):
        await store.append([purchase(body=b"2")])
    await first
    assert store.has_room
    assert [one.event.body[:1] for one in store.read(0)] == [b"1"]
    store.close()


async def test_one_large_append_is_taken(store: SqliteStore) -> None:
    """An append above the bound is taken when nothing else waits, or nobody could ever send it."""
    await store.append([purchase(body=b"1" * 2 * WAITING_BYTES)])
    assert store.last_position == 1


# images


async def test_image_is_read_back(store: SqliteStore, tmp_path: Path) -> None:
    """An image and its states are there after the power went out; what changed since is not."""
    states = States(store, most_hot=100)
    await store.append([purchase()])
    states.add(b"i" + bytes(16), EntityState(features={"f": 1}))
    await take_image(store, states)
    states.edit(b"i" + bytes(16))
    again = after_power_cut(store, tmp_path / "copy")
    assert again.latest_snapshot() == Snapshot(1, (), Kept({"f": 0}))
    assert States(again, 100).find(b"i" + bytes(16)) == EntityState(features={"f": 1})
    again.close()


async def test_discarded_image_is_gone(tmp_path: Path) -> None:
    """An image that no longer fits is forgotten with its states; log and ids stay."""
    store = open_store(tmp_path)
    states = States(store, most_hot=100)
    await store.append([purchase("a")])
    states.add(b"i" + bytes(16), EntityState())
    await take_image(store, states)
    store.close()
    again = SqliteStore(tmp_path, WAITING_BYTES)
    again.discard_snapshot()
    again.start(asyncio.get_running_loop())
    assert (again.latest_snapshot(), again.load(b"i" + bytes(16))) == (None, None)
    assert (await again.append([purchase("a")])).duplicates == 1
    again.close()


async def test_image_keeps_the_index_position(store: SqliteStore, tmp_path: Path) -> None:
    """Images without new events between them leave the index where it was, so that a start reads no old log."""
    await store.append([purchase("a")])
    for _ in range(2):
        await take_image(store)
    for place in (store, after_power_cut(store, tmp_path / "copy")):
        await take_image(place)
        row = place._reader.execute("SELECT value FROM meta WHERE name = 'indexed_position'").fetchone()
        assert row == (1,)
    place.close()


async def test_index_belongs_to_the_writer(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest keys are set apart on the thread that adds to them: one added meanwhile would be lost."""
    threads = set()
    begin, add = store._index.begin_move, store._index.add

    def begin_here() -> object:
        threads.add(threading.current_thread().name)
        return begin()

    def add_here(*about: object) -> None:
        threads.add(threading.current_thread().name)
        add(*about)  # type: ignore[arg-type]

    monkeypatch.setattr(store._index, "begin_move", begin_here)
    monkeypatch.setattr(store._index, "add", add_here)
    await store.append([purchase("a")])
    await take_image(store)
    assert threads == {"abuse-log-writer"}


async def test_ids_stay_known_beside_images(store: SqliteStore) -> None:
    """Images taken while batches come lose no id: the whole story again changes nothing."""

    async def tell() -> int:
        told = [await store.append([purchase(f"{lane}-{number}")]) for number in range(60) for lane in range(5)]
        return sum(appended.duplicates for appended in told)

    async def take_images() -> None:
        for _ in range(20):
            await take_image(store)

    duplicates, _ = await asyncio.gather(tell(), take_images())
    assert duplicates == 0
    assert await tell() == 300


# quarantine


async def test_rejected_are_listed_and_closed(store: SqliteStore, tmp_path: Path) -> None:
    """Rejected events are kept with their bytes and reason, oldest first, until they are closed; also without power."""
    await store.append([purchase()], [refused(b"1"), refused(b"2")])
    await store.append([], [refused(b"3")])
    assert [entry.body for entry in store.quarantine.list_rejected(2)] == [b"1", b"2"]
    await store.quarantine.close_rejected(1, "retried")
    again = after_power_cut(store, tmp_path / "copy")
    kept = again.quarantine
    assert [(entry.rejected_id, entry.body) for entry in kept.list_rejected(10)] == [(2, b"2"), (3, b"3")]
    assert kept.find_rejected(1).state == "retried"
    assert kept.find_rejected(2) == msgspec.structs.replace(refused(b"2"), rejected_id=2)
    with pytest.raises(NotFound):
        kept.find_rejected(4)
    again.close()


# the directory


async def test_directory_has_one_owner(store: SqliteStore) -> None:
    """A second store on the directory is refused, and the first goes on."""
    with pytest.raises(DirectoryInUse, match="one directory serves one"):
        SqliteStore(store.directory.path, WAITING_BYTES)
    assert (await store.append([purchase()])).positions == range(1, 2)


def test_directory_of_the_future_is_refused(tmp_path: Path) -> None:
    """A directory of a newer format is left alone."""
    SqliteStore(tmp_path, WAITING_BYTES).close()
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RefusedToStart, match="has format 99"):
        SqliteStore(tmp_path, WAITING_BYTES)
    assert not (tmp_path / "owner.json").exists()


def test_file_that_is_no_database(tmp_path: Path) -> None:
    """A database file that is none is refused with a word, and the lock is given back."""
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database" * 100)
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="can't open the database"):
            SqliteStore(tmp_path, WAITING_BYTES)
