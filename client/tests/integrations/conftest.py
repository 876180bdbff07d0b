"""A provider on loopback that answers the real SDKs with what a test wrote down."""

import http.server
import json
import threading
from dataclasses import dataclass, field

import pytest


@dataclass
class Provider:
    """Answers each path with JSON, or with a stream of server-sent events where the request asks for one."""

    url: str
    answers: dict = field(default_factory=dict)
    streams: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def provider():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            one.requests.append((self.path, body))
            streams = body.get("stream") is True
            content = self.events() if streams else json.dumps(one.answers[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if streams else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def events(self):
            written = [
                (f"event: {piece['type']}\n" if "type" in piece else "") + f"data: {json.dumps(piece)}\n\n"
                for piece in one.streams[self.path]
            ]
            return "".join([*written, "data: [DONE]\n\n"] if "chat" in self.path else written).encode()

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
def passage():
    """A request that was let through and answered, and the client that its cost is reported to."""
    from abuse_client.gateway import Guard, GuardSettings
    from abuse_client.testing import RecordingClient, classification

    client = RecordingClient()
    client.answer(classification("nothing", request_id=31))
    made = Guard(client, GuardSettings(always_waits=True)).admit({"kilo_user_id": "user-1", "requested_model": "m"})
    made.client = client
    return made
