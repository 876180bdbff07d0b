"""Failures told through the log, each kind at most once a minute, and never with a secret in them."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

MAX_BODY_CHARACTERS = 500
SILENCE_S = 60.0

_log = logging.getLogger("abuse_client")


class Failures:
    """Tells of failures: the first of a kind at once, then at most one a minute with how many were left out."""

    def __init__(self, secrets: tuple[str, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def tell(self, kind: str, message: str) -> None:
        """Log ``message`` unless this kind was logged within the last minute."""
        with self._lock:
            now = self._clock()
            told_at = self._told_at.get(kind)
            if told_at is not None and now - told_at < SILENCE_S:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return
            self._told_at[kind] = now
            left_out = self._left_out.pop(kind, 0)
        more = f" ({left_out} more like this since the last line)" if left_out else ""
        with contextlib.suppress(Exception):  # a handler of the host that raises must not reach the caller
            _log.warning("%s: %s%s", kind, self._redacted(message), more)

    def _redacted(self, message: str) -> str:
        for secret in self._secrets:
            message = message.replace(secret, "[secret]")
        return message


def excerpt(body: bytes) -> str:
    """The beginning of an answer's body, fit for a log line."""
    text = body[: MAX_BODY_CHARACTERS * 4].decode(errors="replace")[:MAX_BODY_CHARACTERS]
    return repr(text)[1:-1] if text else "(empty)"
