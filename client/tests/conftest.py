"""A local sink that plays the abuse service, well behaved or not."""

import gzip
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

CLASSIFICATION = {
    "verdict": "ALLOW",
    "risk_score": 0.25,
    "signals": ["high_velocity"],
    "action_metadata": {},
    "context": {
        "identity_key": "user:user-1",
        "current_spend_1h": 0.5,
        "is_new_user": False,
        "requests_per_second": 0.1,
    },
    "request_id": 17,
    "rules_engine": {"matches": [], "sus_score": 0.25, "resolved_action": "log", "matched_abuse_rule_ids": ["r1"]},
}

Handler = http.server.BaseHTTPRequestHandler
Behaviour = Callable[[Handler], None]


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    sent_bytes: int
    connection: object

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.body)
        return fields


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """A behaviour that answers with exactly this."""

    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def well_behaved(handler: Handler) -> None:
    """What the service answers when all is well."""
    answers: dict[str, tuple[int, dict[str, Any]]] = {
        "/api/classify": (200, CLASSIFICATION),
        "/api/usage/cost": (200, {"success": True}),
        "/api/auth-event": (200, {"success": True}),
        "/api/events": (202, {"accepted": 1, "duplicates": 0, "unknown_types": [], "rejected": []}),
    }
    status, fields = answers[handler.path]
    answer(status, json.dumps(fields).encode())(handler)


@dataclass
class Sink:
    """A server on loopback that records what it gets and behaves as it is told, once per request, then politely."""

    url: str
    received: list[Received] = field(default_factory=list)
    behaviours: list[Behaviour] = field(default_factory=list)
    connections: list[float] = field(default_factory=list)
    """The instants at which those began that are open."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for one in self.received if one.path == "/api/events" for event in one.fields["events"]]

    def only(self, path: str) -> dict[str, Any]:
        """The fields of the one request that came to ``path``."""
        (one,) = [one for one in self.received if one.path == path]
        return one.fields

    def wait_for(self, count: int, within_s: float = 5.0) -> None:
        """Return once ``count`` requests came."""
        until = time.monotonic() + within_s
        while len(self.received) < count:
            assert time.monotonic() < until, f"{len(self.received)} requests came, expected {count}"
            time.sleep(0.005)

    def behave(self, *behaviours: Behaviour) -> None:
        self.behaviours.extend(behaviours)


class SinkServer(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def sink() -> Iterator[Sink]:
    class SinkHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent_bytes = len(body)
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            one.received.append(
                Received(self.path, dict(self.headers), body, time.monotonic(), sent_bytes, self.client_address)
            )
            try:
                (one.behaviours.pop(0) if one.behaviours else well_behaved)(self)
            except OSError:
                self.close_connection = True

        def handle(self) -> None:
            begun = time.monotonic()
            one.connections.append(begun)
            try:
                super().handle()
            except OSError:  # the client hung up
                self.close_connection = True
            finally:
                one.connections.remove(begun)

        def log_message(self, *_: object) -> None:
            pass

    server = SinkServer(("127.0.0.1", 0), SinkHandler)
    one = Sink(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def behaviour() -> Callable[..., Behaviour]:
    """The maker of fixed answers, for tests that misbehave in one line."""
    return answer


@pytest.fixture
def politely() -> Behaviour:
    """The behaviour of a service with which all is well."""
    return well_behaved


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ABUSE_SERVICE_URL", "ABUSE_SERVICE_CF_ACCESS_CLIENT_ID", "ABUSE_SERVICE_CF_ACCESS_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
