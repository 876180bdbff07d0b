"""Care for the data directory: what is damaged is found and placed, a copy is whole, the log alone makes all anew."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from abuse_service.errors import RefusedToStart, StorageUnavailable
from abuse_service.settings import Settings
from abuse_service.storage.directory import DATABASE_NAME, FORMAT_VERSION
from abuse_service.storage.key_file import key_file_beside
from abuse_service.storage.states import TABLES
from abuse_service.testing import NOW_MS, event, stripe_event
from abuse_service.testing.lives import OTHER, USER, ask, erase, running, send, tell_life
from abuse_service.wiring import Service, back_up, compare_rebuilt, rebuild, verify


async def tell_all_kinds(data: Path) -> None:
    """A life with everything in it that leaves traces: joins, erasure, lists, cuts, decisions; with an image amid."""
    async with running(data) as service:
        await tell_life(service)
        await send(service, stripe_event("stripe.charge.failed", {"id": "ch_9", "customer": "cus_9"}, NOW_MS))
        await service.keeper.take()
        for number in range(30):
            await ask(service, f"u{number % 4}")
        await send(service, *(event("user.blocked", NOW_MS + place, kilo_user_id=f"u{place}") for place in range(40)))
        await erase(service, f"user:{USER}")
        await send(service, event("billing.credit_purchased", NOW_MS, kilo_user_id=OTHER, microdollars_acquired=5))
        await service.store.settle()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with such a life in it, as a power cut left it."""
    data = tmp_path_factory.mktemp("upkeep") / "data"
    asyncio.run(tell_all_kinds(data))
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    assert back_up(original, tmp_path / "data").is_whole
    shutil.copy(key_file_beside(original), key_file_beside(tmp_path / "data"))
    return tmp_path / "data"


@contextmanager
def database(data: Path) -> Iterator[sqlite3.Connection]:
    """The database behind everybody's back."""
    connection = sqlite3.connect(data / DATABASE_NAME, isolation_level=None)
    yield connection
    connection.close()


def told(data: Path, *verb: str, status: int = 0) -> str:
    """What the command line prints about a directory."""
    command = [sys.executable, "-m", "abuse_service", *verb, "--data", str(data)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean)
    assert ended.returncode == status, ended.stderr
    return ended.stdout


def faults(data: Path) -> list[tuple[str, str]]:
    """What is wrong with a directory."""
    return [(fault.place, fault.found) for fault in verify(data).faults]


def test_whole_directory_is_whole(original: Path, data: Path) -> None:
    """Nothing is wrong with what a power cut left, nor with its copy, and both hold the same log."""
    one, other = verify(original), verify(data)
    assert one.faults == other.faults == []
    assert one.events == other.events > 70
    assert (one.first_position, one.last_position, one.unsummed) == (1, one.events, 0)
    assert one.states == other.states > 10


def test_each_flipped_byte_is_found(data: Path) -> None:
    """Whichever byte of the log is another, the block with it is named."""
    chance = random.Random(7)
    with database(data) as connection:
        blocks = connection.execute("SELECT position, events, body FROM block").fetchall()
        for _ in range(40):
            position, events, body = chance.choice(blocks)
            damaged = bytearray(body)
            damaged[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            connection.execute("UPDATE block SET body = ? WHERE position = ?", (bytes(damaged), position))
            last = position + events - 1
            place = f"position {position}" if events == 1 else f"positions {position} to {last}"
            found = faults(data)
            assert found[0][0] == place
            assert "checksum" in found[0][1]
            connection.execute("UPDATE block SET body = ? WHERE position = ?", (body, position))
    assert faults(data) == []


def test_damaged_file_is_told_and_never_raises(data: Path) -> None:
    """Whatever is written over the file, the answer is a list of faults or a refusal, and of the log's bytes none
    escapes it."""
    place = data / DATABASE_NAME
    whole = place.read_bytes()
    with database(data) as connection:
        bodies = [body for (body,) in connection.execute("SELECT body FROM block WHERE length(body) < 2000")]
    places = [at for body in bodies if (at := whole.find(body)) >= 0]
    assert places
    chance = random.Random(11)
    for number in range(30):
        damaged = bytearray(whole)
        at = chance.choice(places) + 6 if number % 2 else chance.randrange(len(whole) // 4096) * 4096
        damaged[at : at + 4] = chance.randbytes(4)
        place.write_bytes(damaged)
        try:
            found = faults(data)
        except RefusedToStart:
            found = [("database", "refused")]
        assert found or number % 2 == 0, at
    place.write_bytes(whole)
    assert faults(data) == []


def test_missing_and_doubled_events_are_placed(data: Path) -> None:
    """A block that is gone is named by its positions, one that is there twice by both places of its first event."""
    with database(data) as connection:
        [(position, events, body, checksum)] = connection.execute(
            "SELECT * FROM block ORDER BY events DESC LIMIT 1"
        ).fetchall()
        end = connection.execute("SELECT max(position + events) FROM block").fetchone()[0]
        connection.execute("DELETE FROM block WHERE position = ?", (position,))
        assert (f"positions {position} to {position + events - 1}", "missing from the log") in faults(data)
        connection.execute("INSERT INTO block VALUES (?, ?, ?, ?)", (position, events, body, checksum))
        assert faults(data) == []
        connection.execute("INSERT INTO block VALUES (?, ?, ?, ?)", (end, events, body, checksum))
    found = dict(faults(data))
    assert "checksum" in found[f"positions {end} to {end + events - 1}"]
    same = [text for text in found.values() if text.startswith("the same event as at position")]
    assert len(same) == 40, "each that has a time or an id of its own"


def test_indexes_and_image_are_checked(data: Path) -> None:
    """An id that the index lacks, what an erasure left, the image and a state: each is named."""
    with database(data) as connection:
        key, position = connection.execute("SELECT key, min(position) FROM event_key").fetchone()
        connection.execute("DELETE FROM event_key WHERE key = ?", (key,))
        scrubbed = connection.execute("SELECT max(position) FROM scrubbed").fetchone()[0]
        connection.execute("DELETE FROM scrubbed WHERE position = ?", (scrubbed,))
        other = connection.execute("SELECT min(position) FROM scrubbed").fetchone()[0]
        connection.execute("UPDATE scrubbed SET body = CAST(body || 'x' AS BLOB) WHERE position = ?", (other,))
        # Which of the tables hold states, the directory's key decides.
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
        table, states = max(counts.items(), key=lambda found: found[1])
        connection.execute(f"UPDATE {table} SET body = x'c1'")
        connection.execute("INSERT INTO request VALUES (900000001, 900000001)")
    found = faults(data)
    told = dict(found)
    assert told[f"position {position}"] == "missing from the index of ids"
    assert "not there" in told[f"position {scrubbed}"]
    assert "checksum" in told[f"position {other}"] or (f"position {other}", told[f"position {other}"]) in found
    assert "behind the log's end" in told["index request"]
    assert states > 0
    assert sum(place.startswith("state ") for place in told) == states


async def test_states_are_what_the_log_tells(original: Path, data: Path, tmp_path: Path) -> None:
    """Rebuilt from the log alone, states and indexes equal the live ones; one that was changed is told by its part."""
    (tmp_path / "one").mkdir()
    assert await compare_rebuilt(Settings(data=original), tmp_path / "one") == []
    service = Service(Settings(data=data), takes_settings_policy=False)
    await service.start()
    state = service.projection.states.edit(service.namer.identity("user:u1"))
    state.record.blocks.clear()  # type: ignore[union-attr]
    await service.stop()
    (tmp_path / "two").mkdir()
    fault, index = await compare_rebuilt(Settings(data=data), tmp_path / "two")
    assert index.place == "index mark"
    assert fault.place == f"state {service.namer.identity('user:u1').hex()}"
    assert "record.blocks" in fault.found
    assert (await rebuild(Settings(data=data))).left_out == 0
    (tmp_path / "three").mkdir()
    assert await compare_rebuilt(Settings(data=data), tmp_path / "three") == []


def test_backup_of_a_running_service_is_one_instants(run_service, tmp_path: Path) -> None:
    """While senders write, a backup holds all up to one position and nothing else; a service starts on it and knows
    what the first one knew then."""
    service = run_service()
    stop = threading.Event()

    def send_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            service.events(*(event("user.blocked", NOW_MS, f"e{number}-{i}", kilo_user_id=f"u{i}") for i in range(20)))

    sender = threading.Thread(target=send_on)
    sender.start()
    copies = []
    try:
        copies += [(place, back_up(service.data, place)) for place in (tmp_path / f"copy{n}" for n in range(3))]
    finally:
        stop.set()
        sender.join()
    assert all(verified.is_whole for _, verified in copies)
    assert copies[0][1].last_position < copies[-1][1].last_position < service.log_events(-1)[0]["position"]
    place, verified = copies[-1]
    shutil.copy(key_file_beside(service.data), key_file_beside(place))
    again = run_service(place)
    assert again.log_events(-1)[0]["position"] == verified.last_position
    told = service.log_events(0, limit=1000)
    assert again.log_events(0, limit=1000) == told[: min(len(told), verified.last_position)]
    blocked = sum(one["type"] == "user.blocked" for one in again.log_events(0, limit=1000))
    assert again.identity("user:u3")["record"]["event_counts"]["user.blocked"] >= blocked // 20


def test_backup_leaves_nothing_half_done(original: Path, tmp_path: Path) -> None:
    """A target with something in it is refused, and one that can't be written leaves no file that looks whole."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(RefusedToStart, match="not empty"):
        back_up(original, tmp_path / "taken")
    assert [file.name for file in (tmp_path / "taken").iterdir()] == ["mine.txt"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="can't write"):
        back_up(original, tmp_path / "file")
    with pytest.raises(RefusedToStart, match="holds no data"):
        back_up(tmp_path / "nowhere", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_verbs_tell_and_set_the_status(data: Path, tmp_path: Path) -> None:
    """The verbs show what was checked; damage is status 1, in words and as JSON."""
    assert json.loads(told(data, "verify", "--states", "--json"))["faults"] == []
    assert "positions 1 to" in told(data, "backup", str(tmp_path / "copy"))
    assert "rebuilt from" in told(data, "rebuild")
    with database(data) as connection:
        connection.execute("DELETE FROM block WHERE position = 1")
    assert "position 1: missing from the log" in told(data, "verify", status=1)
    [fault, *_] = json.loads(told(data, "verify", "--json", status=1))["faults"]
    assert fault == {"place": "position 1", "found": "missing from the log"}


async def test_directory_of_the_format_before_is_brought_up(data: Path) -> None:
    """A directory without checksums starts, keeps what it holds, and sums what comes; a newer format is refused."""
    with database(data) as connection:
        before = connection.execute("SELECT position, events, body FROM block").fetchall()
        for table in ("block", "scrubbed"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        connection.execute("PRAGMA user_version = 6")
    with pytest.raises(RefusedToStart, match="format 6"):
        verify(data)
    async with running(data) as service:
        await send(service, event("user.blocked", NOW_MS, kilo_user_id="late"))
    with database(data) as connection:
        assert connection.execute("SELECT position, events, body FROM block").fetchall()[: len(before)] == before
        assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT_VERSION
    verified = verify(data)
    assert verified.faults == []
    assert verified.unsummed == len(before)
    with database(data) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    with pytest.raises(RefusedToStart, match="this version knows"):
        Service(Settings(data=data))
