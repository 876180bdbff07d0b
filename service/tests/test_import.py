"""A cloud's past from files: in the order of its times, once, over a kill, and what can't be taken is written down."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from abuse_service.wiring import History, rejects_of

START_MS = 1_700_000_000_000
GOOD = {"type": "user.blocked", "occurred_at": START_MS, "data": {"kilo_user_id": "u1"}}


def past(events: int, seed: int = 3) -> list[dict[str, Any]]:
    """Purchases, blocks and sign-ins of some users, each at a time of its own, in any order."""
    rng = random.Random(seed)
    said: list[dict[str, Any]] = []
    for number in range(events):
        user, at = f"u{rng.randrange(20)}", START_MS + number * 1000
        if number % 10 == 0:
            sign_in = {"kilo_user_id": user, "event_type": "signin", "email": f"{user}@example.com"}
            said.append(sign_in | {"occurred_at": at, "event_id": f"a{number}"})
        else:
            bought = {"kilo_user_id": user, "microdollars_acquired": rng.randrange(1, 9)}
            said.append(
                {"type": "billing.credit_purchased", "occurred_at": at, "event_id": f"e{number}", "data": bought}
            )
    rng.shuffle(said)
    return said


def write(path: Path, said: list[Any]) -> Path:
    """Lines of JSON, or text as it is."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in said))
    return path


def verb(data: Path, *files: Path) -> list[str]:
    """The command line that imports files."""
    return [sys.executable, "-m", "abuse_service", "import", "events", *map(str, files), "--data", str(data)]


def run(data: Path, *files: Path, status: int = 0) -> str:
    """What importing prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    ended = subprocess.run(verb(data, *files), capture_output=True, text=True, timeout=120, check=False, env=clean)
    assert ended.returncode == status, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout + ended.stderr


def order(service: Any) -> list[str]:
    """The ids of the imported events, as the log has them."""
    told = [event["body"].get("event_id") for event in service.log_events(0) if event["type"] != "account.judged"]
    return [event_id for event_id in told if event_id]


def test_past_is_taken_in_its_order_and_once(run_service: Any, tmp_path: Path) -> None:
    """Shuffled over two files, events come to the log in the order of their times; a second time all are known."""
    service, said = run_service(), past(300)
    one, other = write(tmp_path / "one.jsonl", said[:100]), write(tmp_path / "other.jsonl", [*said[100:], "", "  "])
    assert "accepted 300, known before 0" in run(service.data, one, other)
    wanted = [event["event_id"] for event in sorted(said, key=lambda event: event["occurred_at"])]
    assert order(service) == wanted
    assert "known before 270" in run(service.data, one, other)
    assert order(service) == wanted
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["one.jsonl", "other.jsonl"]
    bought = sum(event["data"]["microdollars_acquired"] for event in said if event.get("type") and is_of(event, "u3"))
    assert service.identity("user:u3")["record"]["credits"]["paid_microdollars"] == bought


def is_of(event: dict[str, Any], user: str) -> bool:
    """Whether a business event is a user's."""
    return bool(event["data"]["kilo_user_id"] == user)


def test_without_a_service_the_directory_takes_it(run_service: Any, tmp_path: Path) -> None:
    """With the service stopped the verb writes to its directory, with the same outcome."""
    service, said = run_service(), past(60)
    service.stop()
    file = write(tmp_path / "past.jsonl", said)
    assert "accepted 60, known before 0" in run(service.data, file)
    service.start()
    assert order(service) == [event["event_id"] for event in sorted(said, key=lambda event: event["occurred_at"])]
    assert "known before 54" in run(service.data, file)


def test_lines_that_cannot_be_taken_are_written_down(run_service: Any, tmp_path: Path) -> None:
    """Each with its line, its reason and its text; the others are taken, and the status says that some were not."""
    service = run_service()
    bad = [
        "no json",
        {"type": "user.blocked", "data": {"kilo_user_id": "u1"}},
        {"occurred_at": START_MS, "data": {}},
        {"type": "user.blocked", "occurred_at": START_MS + 1, "data": {"kilo_user_id": 7}},
        {"event_type": "signup", "occurred_at": START_MS + 2, "kilo_user_id": "u1"},
        '{"type": "user.blocked", "occurred_at": "yesterday", "data": {}}',
    ]
    file = write(tmp_path / "past.jsonl", [GOOD, *bad])
    told = run(service.data, file, status=1)
    assert "accepted 1, known before 0" in told
    assert "6 lines were not taken" in told
    written = [json.loads(line) for line in rejects_of(file).read_text().splitlines()]
    assert sorted(line["line"] for line in written) == [2, 3, 4, 5, 6, 7]
    reasons = {line["line"]: line["reason"] for line in written}
    assert "occurred_at" in reasons[3]
    assert "expected `type`" in reasons[4]
    assert "data.kilo_user_id" in reasons[5]
    assert "email" in reasons[6]
    assert json.loads({line["line"]: line["text"] for line in written}[5]) == bad[3]


def test_cut_off_it_goes_on(run_service: Any, tmp_path: Path) -> None:
    """Killed in the middle, the verb goes on where it was, and in the end each event is there once and in order."""
    service, said = run_service(), past(6_000)
    file = write(tmp_path / "past.jsonl", said)
    kills = 0
    while kills < 2:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
        process = subprocess.Popen(
            verb(service.data, file), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean
        )
        before = position = service.client.get("/readyz").json()["position"]
        while process.poll() is None and position < before + 500:
            time.sleep(0.02)
            position = service.client.get("/readyz").json()["position"]
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills == 2, "it was done before it could be killed"
    state = tmp_path / "past.jsonl.importing"
    assert state.exists()
    run(service.data, file)
    assert not state.exists()
    assert service.client.get("/readyz").json()["position"] >= 6_000
    bought = sum(event["data"]["microdollars_acquired"] for event in said if event.get("type") and is_of(event, "u3"))
    assert service.identity("user:u3")["record"]["credits"]["paid_microdollars"] == bought


def test_parquet_is_read_alike(run_service: Any, tmp_path: Path) -> None:
    """A table with the columns of the wire, `data` as JSON text or as a struct, gives the same events."""
    service, said = run_service(), [event for event in past(50) if "type" in event]
    as_text = [event | {"data": json.dumps(event["data"])} for event in said]
    parquet.write_table(pyarrow.Table.from_pylist(as_text), tmp_path / "text.parquet", row_group_size=7)
    parquet.write_table(pyarrow.Table.from_pylist(said), tmp_path / "struct.parquet")
    assert "accepted 45, known before 0" in run(service.data, tmp_path / "text.parquet")
    assert "accepted 0, known before 45" in run(service.data, tmp_path / "struct.parquet")
    assert order(service) == [event["event_id"] for event in sorted(said, key=lambda event: event["occurred_at"])]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    assert "can't be read as Parquet" in run(service.data, tmp_path / "broken.parquet", status=1)


def test_changed_file_is_read_anew(tmp_path: Path) -> None:
    """Where an import stands is kept for the very files that it read; others begin at their beginning."""
    file = write(tmp_path / "past.jsonl", past(30))
    with History([file]) as history:
        list(history.read())
        history.note_done(10)
        assert len(list(history.lines())) == 20
    shutil.copy(file, tmp_path / "copy.jsonl")
    with History([file]) as history:
        list(history.read())
        assert history.done == 10
    write(file, past(31))
    with History([file]) as history:
        list(history.read())
        assert (history.done, history.count) == (0, 31)


@pytest.mark.parametrize("name", ["nowhere.jsonl"])
def test_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    """A wrong name is refused before anything is asked."""
    ended = subprocess.run(verb(tmp_path, tmp_path / name), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "does not exist" in ended.stderr
