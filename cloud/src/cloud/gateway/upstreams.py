"""The providers at their configured addresses: one request each, its answer whole or still open."""

from typing import Any

import httpx

from cloud.gateway.dialects import Dialect
from cloud.gateway.llm_request import LlmRequest
from cloud.settings import Settings, UpstreamSettings

MAX_KEPT_CONNECTIONS = 200
CONNECT_SECONDS = 10.0


class Outage(Exception):
    """the provider does not answer; try again"""

    code = "upstream_unavailable"

    def __str__(self) -> str:
        return self.__doc__ or ""


class Garbage(Outage):
    """the provider's answer cannot be read; try again"""

    code = "upstream_unreadable"


class KeyRefused(Outage):
    """the provider refuses us; we are told"""

    code = "upstream_refuses"


class Upstreams:
    """All providers, over connections that are kept."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(settings.upstream_timeout_seconds, connect=CONNECT_SECONDS),
            # A stream holds its connection for minutes, so their number is the callers', not ours.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=MAX_KEPT_CONNECTIONS),
            headers={"accept-encoding": "identity"},
        )

    async def send(self, asked: LlmRequest) -> httpx.Response:
        """Send the request and return the answer with its body still to come. Raises `Outage`."""
        upstream = self._upstream(asked.model.provider, asked.dialect)
        request = self._http.build_request(
            "POST",
            upstream.url.rstrip("/") + asked.dialect.path,
            content=asked.upstream_body(),
            headers=asked.headers | credentials(asked, upstream),
        )
        try:
            return await self._http.send(request, stream=True)
        except httpx.HTTPError as error:
            raise Outage from error

    async def close(self) -> None:
        await self._http.aclose()

    def _upstream(self, provider: str, dialect: Dialect) -> UpstreamSettings:
        named = self._settings.upstreams
        usual = UpstreamSettings(url=self._settings.upstream_url, key=self._settings.upstream_key)
        return named.get(f"{provider}/{dialect.feature}") or named.get(provider) or usual


def credentials(asked: LlmRequest, upstream: UpstreamSettings) -> dict[str, str]:
    """Return the header with the key: the caller's own, else ours."""
    key = asked.caller.own_key or (upstream.key.get_secret_value() if upstream.key else None)
    return {asked.dialect.key_header: asked.dialect.key_prefix + key} if key else {}


def is_about_our_key(response: httpx.Response, asked: LlmRequest) -> bool:
    """Say whether the provider refuses us and not the caller: to him it would read as if his session were bad."""
    return asked.caller.own_key is None and response.status_code in (401, 402, 403)


def is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("content-type", "")


def is_stream(response: httpx.Response) -> bool:
    return "text/event-stream" in response.headers.get("content-type", "")


def passed_headers(response: httpx.Response) -> dict[str, Any]:
    """Return the provider's headers that its clients read."""
    return {name: response.headers[name] for name in PASSED if name in response.headers}


PASSED = ("content-type", "retry-after", "request-id", "x-request-id", "x-should-retry")
