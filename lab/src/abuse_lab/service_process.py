"""The service as an operator runs it: a process of its own over a data directory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 120.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.005
_LOG_LINES = 15


class ServiceNotReady(RuntimeError):
    """the service did not come up"""


class ServiceProcess:
    """A running service. Whoever starts one ends it: `stop`, or `kill` as a power cut would."""

    def __init__(self, data: Path, **settings: object) -> None:
        """Start ``abuse-service serve`` on a free port; ``settings`` are the service's own, by their names.

        Nothing of the environment's ``ABUSE_…`` reaches it.
        """
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.log = data / "service.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
        environment |= {f"ABUSE_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "abuse_service", "serve", "--port", "0", "--data", str(data)]
        self.started_at = time.perf_counter()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C is for us, and we stop the service in order.
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self.url = ""

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def await_ready(self) -> "ServiceProcess":
        """Return when the service answers. Raises `ServiceNotReady` with the end of its log."""
        deadline = time.perf_counter() + START_SECONDS
        while time.perf_counter() < deadline and self.is_running:
            self.url = self.url or self.announced_url()
            if self.url and _is_ready(self.url):
                return self
            time.sleep(_POLL_SECONDS)
        self.kill()
        raise ServiceNotReady(f"the service did not come up; its log ends:\n{self._log_end()}")

    def announced_url(self) -> str:
        """Where the process says that it listens; empty until it does."""
        try:
            owner = json.loads((self.data / "owner.json").read_text())
        except (OSError, ValueError):
            return ""
        # A killed service leaves its note behind.
        return str(owner["url"]) if owner.get("pid") == self.pid else ""

    def resident_bytes(self) -> int:
        """Memory that the process holds now."""
        counted = Path(f"/proc/{self.pid}/statm")
        if counted.exists():
            return int(counted.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], check=True, capture_output=True, text=True)
        return int(shown.stdout) * 1024

    def stop(self) -> int:
        """Ask the service to drain and end (SIGTERM); its exit status."""
        if self.is_running:
            self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End the service at once (SIGKILL); its exit status."""
        self._process.kill()
        return self._process.wait()

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


@contextmanager
def run_service(data: Path, **settings: object) -> Iterator[ServiceProcess]:
    """Run a service over the directory until the context ends; then stop it and wait for its end."""
    service = ServiceProcess(data, **settings)
    try:
        yield service.await_ready()
    finally:
        service.stop()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
