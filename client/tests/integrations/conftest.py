"""A provider on loopback that answers the real SDKs with what a test wrote down."""

import http.server
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest


@dataclass
class Provider:
    """Answers each path with JSON, or with a stream of server-sent events where the request asks for one."""

    url: str
    answers: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)
    pause_s: float = 0.0
    """Between two pieces of a stream."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def run_provider():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            one.requests.append((self.path, body))
            self.send_response(200)
            if body.get("stream") is True:
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                self.write_events()
                self.close_connection = True
            else:
                content = json.dumps(one.answers[self.path]).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def write_events(self):
            for piece in one.streams[self.path]:
                name = f"event: {piece['type']}\n" if "type" in piece else ""
                self.wfile.write(f"{name}data: {json.dumps(piece)}\n\n".encode())
                time.sleep(one.pause_s)
            if "chat" in self.path:
                self.wfile.write(b"data: [DONE]\n\n")

        def handle(self):
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    one = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider():
    """A provider of this test's own."""
    with run_provider() as one:
        yield one


@pytest.fixture(scope="module")
def upstream():
    """One that outlives a test, for what stands in front of it."""
    with run_provider() as one:
        yield one


@pytest.fixture
def passage():
    """A request that was let through and answered, and the client that its cost is reported to."""
    from abuse_client.gateway import Guard, GuardSettings
    from abuse_client.testing import RecordingClient, classification

    client = RecordingClient()
    client.answer(classification("nothing", request_id=31))
    made = Guard(client, GuardSettings(always_waits=True)).admit({"kilo_user_id": "user-1", "requested_model": "m"})
    made.client = client
    return made
