"""An abuse service that is of no use: away, silent, talking nonsense, or refusing the token."""

import enum
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread

SILENT_SECONDS = 30.0
LOOPBACK = "127.0.0.1"


class Fault(enum.StrEnum):
    """What is wrong with the service."""

    AWAY = "away"
    SILENT = "silent"
    GARBAGE = "garbage"
    REFUSING = "refusing"


ANSWERS = {
    Fault.GARBAGE: b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n\xff\x00{]nul",
    Fault.REFUSING: b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
}


class Refuser(ThreadingTCPServer):
    """Takes every connection and answers as it must."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, fault: Fault) -> None:
        super().__init__((LOOPBACK, 0), Handler)
        self.fault = fault
        self.ended = Event()


class Handler(BaseRequestHandler):
    """Answers one request and hangs up."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Refuser)
        try:
            self.request.settimeout(SILENT_SECONDS)
            self.request.recv(65_536)
            if server.fault is Fault.SILENT:
                server.ended.wait(SILENT_SECONDS)
            else:
                self.request.sendall(ANSWERS[server.fault])
        except OSError:
            return


@contextmanager
def run_faulty(fault: Fault) -> Iterator[str]:
    """Run the service on a free loopback port, or hold a port at which nobody answers, until the context ends."""
    if fault is Fault.AWAY:
        with socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))
            yield f"http://{LOOPBACK}:{nobody.getsockname()[1]}"
        return
    with Refuser(fault) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), name=f"abuse-service-{fault}", daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}"
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
