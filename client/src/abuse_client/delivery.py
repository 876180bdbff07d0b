"""Sends one batch of reports until the service has taken it or it is given up."""

import asyncio
import contextlib
import time

from abuse_client.answers import BadAnswer, read_receipt
from abuse_client.buffer import Batch
from abuse_client.checking import identified
from abuse_client.circuit import Circuit, Ticket
from abuse_client.event_ids import EventIds
from abuse_client.failures import Failures, excerpt
from abuse_client.reports import EVENTS_PATH, Report
from abuse_client.retry import pause_before_retry, tell_circuit
from abuse_client.service import Answer, NoAnswer, Service
from abuse_client.tally import Tally

TOO_LARGE = 413
SHORTEST_WAIT_S = 0.01
REPORTS_A_TURN = 25


class Delivery:
    """Delivers to one service. Lives on the event loop of one thread."""

    def __init__(self, service: Service, tally: Tally, failures: Failures, attempt_timeout_s: float) -> None:
        self._service = service
        self._tally = tally
        self._failures = failures
        self._attempt_timeout_s = attempt_timeout_s
        self._circuit = Circuit()
        self._ids = EventIds()
        self._hurried = asyncio.Event()
        self._hurries = 0

    async def deliver(self, batch: Batch) -> None:
        """Send the sound ones of a batch and count what became of each."""
        sound: list[Report] = []
        for number, report in enumerate(batch.reports, start=1):
            if self._identify(report):
                sound.append(report)
            if number % REPORTS_A_TURN == 0:
                await asyncio.sleep(0)  # lets the host's threads have the interpreter
        if sound:
            await self._deliver(sound)

    def hurry(self) -> None:
        """Try once more now whatever waits for the service to recover, unless the service asked for the pause."""
        self._hurries += 1
        self._circuit.hurry()
        self._hurried.set()
        self._hurried.clear()  # who waits has been let go, who comes later waits again

    def _identify(self, report: Report) -> bool:
        try:
            report.body = identified(report, self._ids)
        except Exception as error:
            self._fail(1, f"{report.path} not sent, wrong payload", f"{type(error).__name__}: {error}")
            return False
        return True

    async def _deliver(self, reports: list[Report]) -> None:
        path = reports[0].path
        try:
            answer = await self._send(path, envelope(reports))
            if answer.status == TOO_LARGE and len(reports) > 1:
                await self._deliver(reports[: len(reports) // 2])
                await self._deliver(reports[len(reports) // 2 :])
                return
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
        begun, attempt = time.monotonic(), 1
        while True:
            hurries = self._hurries
            outcome = await self._attempt(path, body)
            pause_s = pause_before_retry(attempt, outcome, time.monotonic() - begun)
            if pause_s is None:
                break
            kind = outcome.kind if isinstance(outcome, NoAnswer) else f"status {outcome.status}"
            self._failures.tell(f"{path} will be tried again, {kind}", _detail(outcome))
            if self._hurries == hurries:
                await self._pause(pause_s)
            else:  # the end came while the attempt was under way
                self._circuit.hurry()
            attempt += 1
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome

    async def _attempt(self, path: str, body: bytes) -> Answer | NoAnswer:
        ticket = await self._admitted()
        outcome: Answer | NoAnswer
        try:
            outcome = await self._service.post(path, body, self._attempt_timeout_s)
        except NoAnswer as error:
            outcome = error
        except BaseException:
            self._circuit.gave_up(ticket)
            raise
        tell_circuit(self._circuit, ticket, outcome)
        return outcome

    async def _admitted(self) -> Ticket:
        while (ticket := self._circuit.enter()) is None:
            await self._pause(max(self._circuit.wait_s(), SHORTEST_WAIT_S))
        return ticket

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()

    def _fail(self, count: int, kind: str, reason: str) -> None:
        self._tally.add(failed=count)
        self._failures.tell(kind, reason)


def envelope(reports: list[Report]) -> bytes:
    """The body of one request for the reports of a batch."""
    if reports[0].path != EVENTS_PATH:
        return reports[0].body
    return b'{"events":[' + b",".join([report.body for report in reports]) + b"]}"


def _detail(outcome: Answer | NoAnswer) -> str:
    return str(outcome) if isinstance(outcome, NoAnswer) else f"body: {excerpt(outcome.body)}"
