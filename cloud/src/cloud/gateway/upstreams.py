"""The providers at their configured addresses: one request each, its answer whole or still open."""

import aiohttp

from cloud.gateway.dialects import Dialect
from cloud.gateway.llm_request import LlmRequest
from cloud.settings import Settings, UpstreamSettings

KEPT_SECONDS = 4.0
"""Shorter than servers usually keep one, so that none is used that its other end just closes."""
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
    """All providers, over connections that are kept. It belongs to the event loop that it is made in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = aiohttp.ClientSession(
            # A stream holds its connection for minutes, so their number is the callers', not ours.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=CONNECT_SECONDS, sock_read=settings.upstream_timeout_seconds
            ),
            headers={"accept-encoding": "identity", "user-agent": "cloud"},
            # What one caller is told must not be told of another.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def send(self, asked: LlmRequest) -> aiohttp.ClientResponse:
        """Send the request and return the answer with its body still to come. Raises `Outage`."""
        upstream = self._upstream(asked.model.provider, asked.dialect)
        address = upstream.url.rstrip("/") + asked.dialect.path
        headers = asked.headers | credentials(asked, upstream)
        try:
            return await self._http.post(address, data=asked.upstream_body(), headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Outage from error

    async def close(self) -> None:
        await self._http.close()

    def _upstream(self, provider: str, dialect: Dialect) -> UpstreamSettings:
        named = self._settings.upstreams
        usual = UpstreamSettings(url=self._settings.upstream_url, key=self._settings.upstream_key)
        return named.get(f"{provider}/{dialect.feature}") or named.get(provider) or usual


def credentials(asked: LlmRequest, upstream: UpstreamSettings) -> dict[str, str]:
    """Return the header with the key: the caller's own, else ours."""
    key = asked.caller.own_key or (upstream.key.get_secret_value() if upstream.key else None)
    return {asked.dialect.key_header: asked.dialect.key_prefix + key} if key else {}


def is_about_our_key(response: aiohttp.ClientResponse, asked: LlmRequest) -> bool:
    """Say whether the provider refuses us and not the caller: to him it would read as if his session were bad."""
    return asked.caller.own_key is None and response.status in (401, 402, 403)


def is_success(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


def is_json(response: aiohttp.ClientResponse) -> bool:
    return "json" in response.headers.get("content-type", "")


def is_stream(response: aiohttp.ClientResponse) -> bool:
    return "text/event-stream" in response.headers.get("content-type", "")


def passed_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the provider's headers that its clients read."""
    return {name: response.headers[name] for name in PASSED if name in response.headers}


PASSED = ("content-type", "retry-after", "request-id", "x-request-id", "x-should-retry")
