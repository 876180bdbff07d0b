"""An event loop that can still connect while the interpreter shuts down."""

import asyncio
import socket
import threading
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """A loop that resolves names in a thread of its own.

    The usual executor refuses work as soon as the interpreter begins to end, which is when the last reports leave.
    """

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
