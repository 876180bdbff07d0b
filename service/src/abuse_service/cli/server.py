"""``abuse-service serve``."""

import gc
import resource
import signal
import socket
import sys

import uvicorn

from abuse_service.api.app import Application
from abuse_service.api.connections import bounded_protocol
from abuse_service.errors import RefusedToStart
from abuse_service.settings import Settings
from abuse_service.telemetry import configure_logging, log
from abuse_service.wiring import Service

_DRAIN_SECONDS = 3
_OTHER_FILES = 100
_SWITCH_SECONDS = 0.0005
"""How long one thread may keep Python's lock while the other waits: the log writer needs it for microseconds."""


def serve(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT, then drain. Raises `ServiceError` when it can't start."""
    configure_logging(settings.log_format)
    settings.require_doors()
    sys.setswitchinterval(_SWITCH_SECONDS)
    _allow_files(settings.connections + _OTHER_FILES)
    listener = _listen(settings)
    # States hold no cycles: while the log is told again the collector would look at all of them and find nothing.
    gc.disable()
    service = Service(settings)
    # What is alive now stays alive, so the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    gc.enable()
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        Application(service, settings),
        loop="uvloop",
        http=bounded_protocol(settings.read_seconds, settings.connections),
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        ws="none",
    )
    # uvicorn raises the signal again once it has drained; a stop that was asked for ends with status 0.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    service.store.directory.announce(url)
    log.info("listening", url=url, data=str(settings.data))
    uvicorn.Server(config).run(sockets=[listener])
    log.info("stopped")


def _allow_files(wanted: int) -> None:
    """Let the process open as many files as its connections need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise RefusedToStart(f"can't listen on {settings.host} port {settings.port}: {error.strerror}") from None
    return listener
