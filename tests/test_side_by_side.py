"""The two halves of all tests: both run, both count, and one that fails makes the whole fail."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("side_by_side.py")
GOOD, BAD = "def test_one(): pass\ndef test_two(): pass\n", "def test_three(): assert False\n"


@pytest.mark.parametrize(("service", "rest", "status", "counts"), [
    (GOOD, GOOD, 0, "4 passed"), (BAD, GOOD, 1, "1 failed, 2 passed"), (GOOD, BAD, 1, "1 failed, 2 passed"),
])  # fmt: skip
def test_both_halves_count(tmp_path: Path, service: str, rest: str, status: int, counts: str) -> None:
    """Whichever half a test stands in, it is run, shown and counted in the last line."""
    for folder, text in (("service/tests", service), ("cloud/tests", rest)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"test_{folder.partition('/')[0]}.py").write_text(text)
    command = [sys.executable, str(SCRIPT), "service/tests", "cloud/tests"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == status, ended.stdout
    assert ended.stdout.rstrip().splitlines()[-1].startswith(f"===== {counts} in ")
    assert ended.stdout.index("cloud/tests") < ended.stdout.index("service/tests")
