"""Load on a service, made by a process of its own, and what came of it."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from abuse_lab.bench.loader import Loaded, Plan
from abuse_lab.lane import local_address

LOAD_SECONDS = 600


def load(url: str, requests: Sequence[bytes], connections: int) -> Loaded:
    """Send the requests over so many connections, each busy until all are answered."""
    host, port = local_address(url)
    plan = Plan(host=host, port=port, connections=min(connections, len(requests)), requests=list(requests))
    with tempfile.TemporaryDirectory(prefix="abuse-load-") as directory:
        plan_path, result_path = Path(directory, "plan"), Path(directory, "result")
        plan_path.write_bytes(msgspec.msgpack.encode(plan))
        command = [sys.executable, "-m", "abuse_lab.bench.loader", str(plan_path), str(result_path)]
        subprocess.run(command, check=True, timeout=LOAD_SECONDS)
        return msgspec.msgpack.decode(result_path.read_bytes(), type=Loaded)


def percentile(latencies: Sequence[float], share: float) -> float:
    """The latency that a share of all stays at or below."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
