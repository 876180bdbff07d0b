"""Two ways into the real service: in process, where event time is the clock's, and over HTTP, where it is claimed."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from abuse_lab.lane import Lane, local_address, request_bytes
from abuse_lab.quality.calls import Endpoint, Fields
from abuse_lab.service_process import run_service
from abuse_service.console_api.lists import change_list
from abuse_service.settings import Settings
from abuse_service.wiring import Service

_SOURCE = "cloud"
_OPERATOR = "operator@cloud.example"
_LISTS = {Endpoint.BLOCK: "blocked", Endpoint.TRUST: "trusted"}
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_encode = msgspec.json.Encoder().encode


class Refused(RuntimeError):
    """the service refused a call that the contract permits"""


class Door(Protocol):
    """Takes a call at an instant of event time and gives the answer's JSON."""

    async def post(self, endpoint: Endpoint, fields: Fields, at_ms: int) -> bytes:
        """The answer. Raises `Refused` or what the service raises."""


class InProcess:
    """A `Service` on this loop, its clock set to each call's instant."""

    def __init__(self, policy: Path | None, data: Path) -> None:
        self._now_ms = 0
        settings = Settings(data=data, policy=policy, snapshot_events=2**31, snapshot_seconds=1e9, tokens=())
        self.service = Service(settings, now_ms=lambda: self._now_ms)

    async def post(self, endpoint: Endpoint, fields: Fields, at_ms: int) -> bytes:
        """The answer, as the clock stood at ``at_ms``."""
        self._now_ms = at_ms
        flow, body = self.service.flow, _encode(fields)
        if endpoint is Endpoint.CLASSIFY:
            return await flow.classify(body, _SOURCE, may_import=False)
        if endpoint is Endpoint.COST:
            return _encode(await flow.take_cost(body, _SOURCE))
        if endpoint is Endpoint.AUTH:
            return await flow.take_auth(body, _SOURCE)
        if endpoint in _LISTS:
            return _encode(await change_list(flow, _LISTS[endpoint], "added", body, _OPERATOR))
        return _encode(await flow.take_events(body, _SOURCE))


class OverHttp:
    """A service process on this machine, told each call's instant as ``occurred_at``."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def post(self, endpoint: Endpoint, fields: Fields, at_ms: int) -> bytes:
        """The answer. Raises `Refused`."""
        status, answer = await self._lane.ask(request_bytes(endpoint, _encode(timed(endpoint, fields, at_ms))))
        if status >= 300:
            raise Refused(f"{endpoint} answered {status}: {answer.decode(errors='replace')[:300]}")
        return answer


def timed(endpoint: Endpoint, fields: Fields, at_ms: int) -> Fields:
    """The same call with its instant written into it where it says none and can say one."""
    if endpoint in _LISTS:
        # What an operator does is stamped by the service; no wish of his names a time.
        return fields
    if endpoint is not Endpoint.EVENTS:
        return {"occurred_at": at_ms} | fields
    events: list[dict[str, Any]] = fields["events"]
    return {"events": [{"occurred_at": at_ms} | event for event in events]}


@contextlib.asynccontextmanager
async def open_door(policy: Path | None = None, *, is_http: bool = False) -> AsyncIterator[Door]:
    """A fresh service behind a door, gone afterwards."""
    # Quality is no question of the disk: a directory in memory where the machine has one.
    with tempfile.TemporaryDirectory(prefix="abuse-quality-", dir=_MEMORY) as folder:
        data = Path(folder) / "data"
        if is_http:
            with run_service(data, **({"policy": policy} if policy else {})) as process:
                lane = await Lane.open(*local_address(process.url))
                try:
                    yield OverHttp(lane)
                finally:
                    lane.close()
            return
        inside = InProcess(policy, data)
        await inside.service.start()
        try:
            yield inside
        finally:
            await inside.service.stop()
