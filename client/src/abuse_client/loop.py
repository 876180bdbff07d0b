"""An event loop that can still connect while the interpreter shuts down, and lets go of its sockets in a fork."""

import asyncio
import contextlib
import contextvars
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Generator
from typing import Any

LONGEST_REST_WAIT_S = 0.5

_made_here: contextvars.ContextVar[list[asyncio.BaseTransport]] = contextvars.ContextVar("abuse_client_connections")


class Loop(asyncio.SelectorEventLoop):
    """A loop that resolves names in a thread of its own, knows its connections, and can be made to rest.

    The usual executor refuses work as soon as the interpreter begins to end, which is when the last reports leave.
    """

    def __init__(self) -> None:
        self._watches = selectors.DefaultSelector()
        self._wait = self._watches.select
        self._watches.select = self._select  # type: ignore[method-assign]
        self._at_work = threading.Lock()
        self._made: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self.connections_made: int = 0
        super().__init__(self._watches)

    def run_forever(self) -> None:
        """Run until stopped. While there is nothing to do, the loop is at rest."""
        with self._at_work:
            super().run_forever()

    def rest(self) -> bool:
        """From another thread: return once the loop waits for something and keep it there until `resume`.

        A process that forks meanwhile leaves the child no lock that is held by a thread which is not there: not this
        package's, not the interpreter's, not OpenSSL's. ``False``: it did not come to rest in time.
        """
        return self._at_work.acquire(timeout=LONGEST_REST_WAIT_S)

    def resume(self) -> None:
        """Let the loop go on after `rest`."""
        self._at_work.release()

    def _select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._at_work.release()
        try:
            return self._wait(timeout)
        finally:
            self._at_work.acquire()

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        """What asyncio answers: a transport and its protocol."""
        self.connections_made += 1
        transport, protocol = await super().create_connection(*arguments, **options)
        self._made.add(transport)
        _made_here.get([]).append(transport)
        return transport, protocol

    @contextlib.contextmanager
    def abandoning(self) -> Generator[None]:
        """Close the connections that were made within, if it is cancelled: httpcore does not in a TLS handshake."""
        made: list[asyncio.BaseTransport] = []
        token = _made_here.set(made)
        try:
            yield
        except asyncio.CancelledError:
            for transport in made:
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
            raise
        finally:
            _made_here.reset(token)

    def let_go_after_fork(self) -> None:
        """In a forked child: give up the files that are shared with the parent, without a word to the other side.

        Closing them in order would shut down the parent's connections or speak on them. So each descriptor is pointed
        at nothing instead, and what still holds its number does no harm.
        """
        descriptors = {key.fd for key in (self._watches.get_map() or {}).values()}
        for transport in self._made:
            connection = transport.get_extra_info("socket")
            descriptors.add(connection.fileno() if connection is not None else -1)
        if hasattr(self._watches, "fileno"):
            descriptors.add(self._watches.fileno())
        with contextlib.suppress(OSError):
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            for descriptor in descriptors - {-1}:
                os.dup2(nothing, descriptor, inheritable=False)
            os.close(nothing)

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """What `socket.getaddrinfo` answers."""
        found: asyncio.Future[Any] = self.create_future()

        def resolve() -> None:
            try:
                addresses = socket.getaddrinfo(host, port, family, type, proto, flags)
            except OSError as error:
                self._hand_over(found, error)
            else:
                self._hand_over(found, addresses)

        try:
            threading.Thread(target=resolve, name="abuse-client-resolver", daemon=True).start()
        except RuntimeError:  # no new threads any more
            resolve()
        return await found

    def _hand_over(self, found: "asyncio.Future[Any]", outcome: Any) -> None:
        def finish() -> None:
            if found.done():
                return
            if isinstance(outcome, OSError):
                found.set_exception(outcome)
            else:
                found.set_result(outcome)

        if not self.is_closed():
            self.call_soon_threadsafe(finish)
