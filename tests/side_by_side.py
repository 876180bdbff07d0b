"""Runs all tests in two processes side by side: the service's and the lab's, which are half of it, and the others.

``python tests/side_by_side.py FOLDER...`` prints the others as they go, and the first half once they are through. The
last line counts both; the status is 1 when a test of either failed.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections import Counter

ONE_HALF = ("service/tests", "lab/tests")
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|deselected)\b")


def main(folders: list[str]) -> int:
    """Run both, and say how they ended; Ctrl-C ends both."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as told:
        first = [folder for folder in folders if folder in ONE_HALF]
        half = subprocess.Popen([*command, *first], stdout=told, stderr=subprocess.STDOUT)
        try:
            others = subprocess.Popen(
                [*command, *(folder for folder in folders if folder not in ONE_HALF)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            last = show(others)
            statuses = [others.wait(), half.wait()]
        except BaseException:
            half.terminate()
            half.wait()
            raise
        told.seek(0)
        text = told.read()
    sys.stdout.buffer.write(text)
    counts: Counter[str] = Counter()
    for line in (last, text.decode(errors="replace").rstrip().rpartition("\n")[2]):
        counts.update({what: int(number) for number, what in COUNTS.findall(line)})
    told_counts = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    print(f"===== {told_counts} in {time.monotonic() - began:.2f}s =====")
    return int(any(statuses))


def show(process: "subprocess.Popen[bytes]") -> str:
    """Print what a process says as it comes; its last line."""
    assert process.stdout is not None
    last = b""
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        last = line.strip() or last
    return last.decode(errors="replace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
