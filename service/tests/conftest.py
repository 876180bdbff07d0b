"""A service as an operator runs it: a process of its own, real HTTP, a directory that is thrown away."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

GOLDEN = Path(__file__).parents[2] / "client/tests/golden"
FIXTURES = Path(__file__).parents[3] / "shared/fixtures"


class RunningService:
    """A service over a data directory, with a client that speaks to it."""

    def __init__(self, data, **settings):
        self.data = data
        self.settings = settings
        self.process = None
        self.client = None

    def start(self):
        """Start it and wait until it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
        environment |= {f"ABUSE_{name.upper()}": str(value) for name, value in self.settings.items()}
        command = [sys.executable, "-m", "abuse_service", "serve", "--port", "0", "--data", str(self.data)]
        self.data.mkdir(parents=True, exist_ok=True)
        self.log_path = self.data.parent / f"{self.data.name}.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._is_ready():
                return self
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the service did not come up:\n{self.log_path.read_text()}")

    def stop(self):
        """Ask it to stop; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.close()
        return status

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        """Close the client."""
        if self.client is not None:
            self.client.close()

    def post(self, path, body, **options):
        """Send a body: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | options.pop("headers", {})
        return self.client.post(path, content=content, headers=headers, **options)

    def events(self, *events):
        """Send a batch."""
        return self.post("/api/events", {"events": list(events)})

    def identity(self, key):
        """The record of an identity."""
        return self.client.get(f"/api/console/identities/{key}").json()

    def log_events(self, after=0, limit=1000):
        """Events of the log, but for the notes of who reads; a negative ``after`` counts from the end."""
        first = after - 100 if after < 0 else after
        events = self.client.get(f"/api/console/events?after={first}&limit={limit}").json()["events"]
        events = [event for event in events if event["type"] != "service.record_read"]
        return events[after:] if after < 0 else events

    def log_text(self):
        """All that the service wrote to its log."""
        return self.log_path.read_text()

    def _is_ready(self):
        try:
            owner = json.loads((self.data / "owner.json").read_text())
            if owner["pid"] != self.process.pid:
                return False
            httpx.get(f"{owner['url']}/readyz", trust_env=False).raise_for_status()
        except (OSError, ValueError, httpx.HTTPError):
            return False
        self.client = httpx.Client(base_url=owner["url"], timeout=60, trust_env=False)
        return True


@pytest.fixture
def run_service(tmp_path):
    """Starts services; those that still run at the end are ended."""
    running = []

    def run(data=None, **options):
        service = RunningService(data or tmp_path / "data", **options).start()
        running.append(service)
        return service

    yield run
    for service in running:
        service.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One service for the tests of a module."""
    running = RunningService(tmp_path_factory.mktemp("service") / "data").start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, request):
    """One service with the tokens that the module names."""
    tokens = json.dumps(request.module.TOKENS)
    running = RunningService(tmp_path_factory.mktemp("guarded") / "data", tokens=tokens).start()
    yield running
    running.kill()


@pytest.fixture
def golden():
    """The folder of requests as today's client sends them."""
    return GOLDEN


@pytest.fixture
def stripe_fixtures():
    """Whole Stripe webhook events that nobody here wrote."""
    folder = FIXTURES / "stripe"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not on this machine; what it proves is also proved on events made here")
    return folder
