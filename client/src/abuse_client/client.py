"""The client for threads."""

import time
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Self

from abuse_client.asking import Asking
from abuse_client.contract import Classification, ClassifyPayload
from abuse_client.drafts import Fields
from abuse_client.time_limits import seconds, time_limit


class AbuseClient(Asking):
    """Reports events and asks for classifications; never raises, never keeps a user waiting beyond a deadline.

    Threads may share it. It starts one background thread when it is first needed, and a forked child starts its own.
    """

    def classify_request(self, payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
        """Ask what to do with an LLM request; ``None`` when there is no answer within ``deadline`` seconds."""
        until = time_limit(deadline)
        question = self._ask(payload, until)
        if question is None:
            return None
        try:
            return self._understand(question.result(max(0.0, until - time.monotonic())))
        except Exception as error:
            self._unanswered(error)
            return None
        finally:
            question.cancel()

    def flush(self, timeout: float) -> bool:
        """Wait until every report so far is sent or given up; ``False`` when that took longer than ``timeout``."""
        flushed = self._engine.flushed()
        try:
            flushed.result(seconds(timeout))
        except (TimeoutError, CancelledError):
            return False
        finally:
            flushed.cancel()
        return True

    def close(self) -> None:
        """Flush for a moment, then stop. Later reports are dropped and counted."""
        self._engine.close(self._settings.exit_flush_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
