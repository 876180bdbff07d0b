"""A small service on loopback that keeps the contract: it records, checks, and answers what a test tells it."""

import gzip
import http.server
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from abuse_client.contract import ContractError, encode, parse_object, repair
from abuse_client.testing.answers import classification
from abuse_client.testing.checks import AUTH_PATH, CLASSIFY_PATH, COST_PATH, EVENTS_PATH, problems_in
from abuse_client.testing.recorder import Recording


class FakeService(Recording):
    """The record of a running fake service, with a recording client's assertions.

    ``problems`` lists what the contract has against what came; `assert_contract_kept` fails with that list.
    """

    def __init__(self, *, accepts_unknown: bool = False) -> None:
        super().__init__(accepts_unknown=accepts_unknown)
        self.url = ""
        self.problems: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer(classification("nothing"))

    def assert_contract_kept(self) -> None:
        """That everything that came is what the contract says."""
        assert not self.problems, "the contract was not kept:" + "".join(f"\n  {problem}" for problem in self.problems)

    def _take(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if path not in (CLASSIFY_PATH, COST_PATH, AUTH_PATH, EVENTS_PATH):
            return 404, _error("not_found", "found no such path", None)
        try:
            fields = parse_object(repair(body))
        except ContractError as error:
            self.problems.append(f"{path}: {error}")
            return 400, _error("bad_request", str(error), None)
        problems = problems_in(path, fields, accepts_unknown=self._accepts_unknown)
        self.problems.extend(f"{path}: {problem}" for problem in problems)
        if path == EVENTS_PATH:
            return self._take_events(fields)
        if problems:
            return 422, _error("invalid_field", problems[0], problems[0].partition(":")[0])
        return self._take_payload(path, fields)

    def _take_payload(self, path: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = f"user:{fields.get('kilo_user_id')}"
        if path == CLASSIFY_PATH:
            answer = self._take_question(fields)
            if answer is None:
                return 503, _error("storage_unavailable", "told to give no answer", None)
            told: dict[str, Any] = json.loads(encode(answer))
            return 200, told
        if path == COST_PATH:
            self.costs.append(fields)
            message_id = fields["message_id"]
            return 200, {"success": True, "identity_key": key, "message_id": message_id, "do_updated": True}
        self.auth_events.append(fields)
        return 200, {"success": True, "identity_key": key, "verdict": "ALLOW", "signals": [], "risk_score": 0.0}

    def _take_events(self, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        members = fields.get("events")
        if not isinstance(members, list):
            return 422, _error("invalid_field", "events: expected a list", "events")
        rejected = []
        for index, member in enumerate(members):
            found = problems_in(EVENTS_PATH, {"events": [member]}, accepts_unknown=self._accepts_unknown)
            if found:
                place, _, message = found[0].removeprefix("events[0].").partition(": ")
                rejected.append({"index": index, "path": place, "message": message})
            else:
                self.events.append(member)
        accepted = len(members) - len(rejected)
        counts = {"accepted": accepted, "duplicates": 0, "unknown_types": [], "conflicts": 0}
        return 202, counts | {"rejected": rejected}


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


@contextmanager
def run_fake_service(*, accepts_unknown: bool = False) -> Generator[FakeService]:
    """Run a fake service on a free loopback port until the context ends; ``url`` says where."""
    service = FakeService(accepts_unknown=accepts_unknown)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            service.headers.append(dict(self.headers))
            status, fields = service._take(self.path, body)
            written = json.dumps(fields).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the client hung up
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(code: str, message: str, path: str | None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "path": path}}
