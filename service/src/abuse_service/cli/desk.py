"""Where a verb gets its answers: from the running service over HTTP, or from the data directory itself."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from abuse_client.contract import ContractError
from abuse_service.api.doors import LOCAL, LOCAL_SOURCE, Sender
from abuse_service.console_api.routes import answer_console
from abuse_service.console_api.v1 import V1, answer_v1
from abuse_service.errors import PolicyError, ServiceError, StorageUnavailable
from abuse_service.settings import ALL_SCOPES, Settings
from abuse_service.telemetry import configure_logging
from abuse_service.wiring import Service, holds_database, read_owner

EVENTS_PATH, AUTH_PATH = "/api/events", "/api/auth-event"
_CONSOLE = "/api/console/"
_SECONDS = 10.0
_OPERATOR = Sender("operator", frozenset(ALL_SCOPES), LOCAL)
_SCOPES = frozenset({"read", "records", "admin"})
_WRITING = frozenset({"write", "import"})


Request = tuple[str, str, bytes]
"""Method, path and body."""


class RemoteError(ServiceError):
    """the service refused"""


class Busy(ServiceError):
    """the service takes no more at the moment"""

    after_seconds = 1.0


class Desk:
    """Asks the service that owns the data directory; without one, opens the directory for the question."""

    def __init__(self, settings: Settings, url: str | None) -> None:
        self._settings = settings
        self._url = url or _owner_url(settings.data)

    @property
    def is_live(self) -> bool:
        """Whether a service answers."""
        return self._url is not None

    def get(self, path: str) -> Any:
        """What ``GET /api/console/{path}`` answers. Raises `ServiceError`."""
        return self._ask("GET", f"{_CONSOLE}{path}", b"")

    def get_v1(self, path: str) -> Any:
        """What ``GET /v1/{path}`` answers. Raises `ServiceError`."""
        return self._ask("GET", f"{V1}{path}", b"")

    def post(self, path: str, body: bytes) -> Any:
        """What ``POST /api/console/{path}`` answers. Raises `ServiceError`."""
        return self._ask("POST", f"{_CONSOLE}{path}", body)

    def post_v1(self, path: str, body: bytes) -> Any:
        """What ``POST /v1/{path}`` answers. Raises `ServiceError`."""
        return self._ask("POST", f"{V1}{path}", body)

    def _ask(self, method: str, path: str, body: bytes) -> Any:
        if self._url is not None:
            with _open_client(self._url) as client:
                return self._ask_service(client, method, path, body)
        return asyncio.run(self._ask_directory(method, path, body))

    def _ask_service(self, client: httpx.Client, method: str, path: str, body: bytes) -> Any:
        headers = {"content-type": "application/json"} | self._credentials(path)
        try:
            answer = client.request(method, path, content=body or None, headers=headers)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise RemoteError(f"no answer from the service at {self._url}: {type(error).__name__}") from None
        if answer.is_success:
            return said
        told = said.get("error", {}) if isinstance(said, dict) else {}
        if answer.status_code in (401, 403):
            scopes = ", ".join(sorted(_SCOPES))
            told["message"] = f"{told.get('message')}; verbs take theirs from ABUSE_TOKENS, with the scopes {scopes}"
        message = told.get("message") or f"status {answer.status_code}"
        if answer.status_code in (429, 503):
            raise Busy(message)
        raise _refusal(message, told.get("path"), told.get("details") or {})

    def talk(self, requests: Generator[Request, Any, None]) -> None:
        """Ask one thing after another, each answer sent back to who asks; a directory is opened once for all."""
        if self._url is not None:
            # One connection for all of it: to make one takes longer than most answers.
            with _open_client(self._url) as client:
                _drive(requests, lambda request: self._ask_service(client, *request))
            return
        asyncio.run(self._talk_in_directory(requests))

    async def _talk_in_directory(self, requests: Generator[Request, Any, None]) -> None:
        async with self._open_directory() as service:
            request = next(requests, None)
            while request is not None:
                try:
                    answer = await _answer(service, *request)
                except ServiceError as error:
                    request = _tell(requests, error)
                else:
                    request = _tell(requests, answer)

    async def _ask_directory(self, method: str, path: str, body: bytes) -> Any:
        async with self._open_directory() as service:
            return await _answer(service, method, path, body)

    @asynccontextmanager
    async def _open_directory(self) -> AsyncIterator[Service]:
        if not holds_database(self._settings.data):
            raise RemoteError(
                f"no service answers, and {self._settings.data} holds no data of one; name the directory with --data, "
                "or the service with --url"
            )
        print(f"read from {self._settings.data}: no service runs there", file=sys.stderr)
        configure_logging("text", logging.WARNING)
        service = Service(self._settings, takes_settings_policy=False)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()

    def _credentials(self, path: str) -> dict[str, str]:
        wanted = _WRITING if path in (EVENTS_PATH, AUTH_PATH) else _SCOPES
        able = [token for token in self._settings.tokens if token.scopes >= wanted] or self._settings.tokens
        if not able:
            return {}
        return {
            "CF-Access-Client-Id": able[0].id,
            "CF-Access-Client-Secret": able[0].secret.get_secret_value(),
        }


def _open_client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url.rstrip("/"), timeout=_SECONDS, trust_env=False)


async def _answer(service: Service, method: str, path: str, body: bytes) -> Any:
    try:
        if path == EVENTS_PATH:
            return msgspec.to_builtins(await service.flow.take_events(body, LOCAL_SOURCE))
        if path == AUTH_PATH:
            return json.loads(await service.flow.take_auth(body, LOCAL_SOURCE))
    except StorageUnavailable as error:
        raise Busy(error.message) from None
    except ContractError as error:
        raise ServiceError(error.message, path=error.path) from None
    place, _, query = path.partition("?")
    if place.startswith(V1):
        return json.loads(await answer_v1(service, _OPERATOR, method, place, query, body))
    return json.loads(await answer_console(service, _OPERATOR, method, place.removeprefix(_CONSOLE), query, body))


def _drive(requests: Generator[Request, Any, None], ask: Callable[[Request], Any]) -> None:
    request = next(requests, None)
    while request is not None:
        try:
            answer = ask(request)
        except ServiceError as error:
            request = _tell(requests, error)
        else:
            request = _tell(requests, answer)


def _tell(requests: Generator[Request, Any, None], answer: Any) -> Request | None:
    """Send an answer back, or raise what was refused where it was asked; what is asked next."""
    try:
        return requests.throw(answer) if isinstance(answer, ServiceError) else requests.send(answer)
    except StopIteration:
        return None


def _refusal(message: str, path: str | None, details: dict[str, Any]) -> ServiceError:
    """What the service refused, with the spot in the policy where it names one."""
    if "file" not in details:
        return RemoteError(message, path=path)
    spot = [str(details[name]) for name in ("file", "line", "column") if details.get(name)]
    return PolicyError(message, path=path, place=":".join(spot), picture=details.get("text", ""))


def _owner_url(data: Path) -> str | None:
    """Where the directory's owner answers, if he still does."""
    owner = read_owner(data)
    if owner is None:
        return None
    try:
        httpx.get(f"{owner['url']}/healthz", timeout=2.0, trust_env=False)
    except (httpx.HTTPError, KeyError):
        return None
    return owner["url"]
