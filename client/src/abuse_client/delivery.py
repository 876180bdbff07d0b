"""Takes reports from a buffer and sends them, one request after the other."""

import asyncio
import contextlib

from abuse_client.answers import BadAnswer, read_receipt
from abuse_client.buffer import Buffer, Report
from abuse_client.drafts import envelope
from abuse_client.failures import Failures, excerpt
from abuse_client.retry import pause_before_retry
from abuse_client.service import Answer, NoAnswer, Service
from abuse_client.tally import Tally


class Delivery:
    """Sends what waits in a buffer. Lives on the event loop of one thread."""

    def __init__(
        self, buffer: Buffer, service: Service, tally: Tally, failures: Failures, attempt_timeout_s: float
    ) -> None:
        self._buffer = buffer
        self._service = service
        self._tally = tally
        self._failures = failures
        self._attempt_timeout_s = attempt_timeout_s
        self._woken = asyncio.Event()
        self._retired = False
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look into the buffer again."""
        self._woken.set()

    def retire(self) -> None:
        """Stop once the buffer is empty."""
        self._retired = True
        self._woken.set()

    def stop(self) -> None:
        """Stop now, whatever is under way."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """Deliver until stopped, or until retired and empty."""
        self._task = asyncio.current_task()
        with contextlib.suppress(asyncio.CancelledError):
            await self._run()

    async def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            reports = self._buffer.take()
            if reports:
                await self._deliver(reports)
                self._buffer.settle()
            elif self._retired:
                return
            else:
                await self._woken.wait()

    async def _deliver(self, reports: list[Report]) -> None:
        path = reports[0].path
        try:
            answer = await self._send(path, envelope(reports))
            receipt = read_receipt(path, answer)
        except (NoAnswer, BadAnswer) as error:
            self._fail(len(reports), f"{path} failed, {error.kind}", str(error))
        except Exception as error:
            # Whatever it is, the reports behind this one must still leave.
            self._fail(len(reports), f"{path} failed, {type(error).__name__}", str(error))
        else:
            refused = min(receipt.refused, len(reports))
            self._tally.add(sent=len(reports) - refused)
            if refused:
                self._fail(refused, f"{path} refused some", f"{refused} of {len(reports)}, first {receipt.reason}")

    async def _send(self, path: str, body: bytes) -> Answer:
        attempt = 1
        while True:
            outcome: Answer | NoAnswer
            try:
                outcome = await self._service.post(path, body, self._attempt_timeout_s)
            except NoAnswer as error:
                outcome = error
            pause_s = pause_before_retry(attempt, outcome)
            if pause_s is None:
                break
            kind = outcome.kind if isinstance(outcome, NoAnswer) else f"status {outcome.status}"
            self._failures.tell(f"{path} will be tried again, {kind}", _detail(outcome))
            await asyncio.sleep(pause_s)
            attempt += 1
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome

    def _fail(self, count: int, kind: str, reason: str) -> None:
        self._tally.add(failed=count)
        self._failures.tell(kind, reason)


def _detail(outcome: Answer | NoAnswer) -> str:
    return str(outcome) if isinstance(outcome, NoAnswer) else f"body: {excerpt(outcome.body)}"
