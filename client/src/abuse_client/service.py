"""One request to the abuse service and its answer, however the other side behaves."""

import asyncio
import email.utils
import importlib
import time
import urllib.request
from contextlib import AsyncExitStack

import httpx
import msgspec

from abuse_client.compression import Compression
from abuse_client.loop import Loop
from abuse_client.settings import Settings

# httpx and anyio import these when they first need them, which would be in a thread: a fork meanwhile leaves the child
# with half a module.
for _name in ("anyio._backends._asyncio", "certifi", "encodings.idna", "httpcore"):
    importlib.import_module(_name)

MAX_ANSWER_BYTES = 2**20
TIME_OUT = "time-out"
MAX_CONNECTIONS = 200
MAX_KEPT_CONNECTIONS = 20
KEPT_CONNECTION_S = 60.0
CONNECT_SHARE = 0.8
"""Of the time given, for connecting. A TLS handshake that is cancelled leaves its socket open, a time-out does not."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the service answered."""

    status: int
    body: bytes
    retry_after_s: float | None = None
    accepted_codings: str | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class NoAnswer(Exception):
    """The service gave no answer that can be read."""

    def __init__(self, kind: str, reason: str = "", *, may_retry: bool) -> None:
        super().__init__(reason or kind)
        self.kind: str = kind
        self.may_retry = may_retry


class Service:
    """The abuse service at one address, over connections that are kept."""

    def __init__(self, settings: Settings, loop: Loop) -> None:
        self._settings = settings
        self._loop = loop
        self._compression = Compression(is_wanted=settings.compress)
        self._http = httpx.AsyncClient(
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "abuse-client",
                **settings.token_headers,
            },
            verify=_needs_certificates(settings.url),
            follow_redirects=False,
            timeout=None,
            limits=httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_KEPT_CONNECTIONS,
                keepalive_expiry=KEPT_CONNECTION_S,
            ),
        )

    async def post(self, path: str, body: bytes, within_s: float) -> Answer:
        """Send ``body`` and read the whole answer, all of it within the given time. Raises `NoAnswer`."""
        try:
            async with asyncio.timeout(within_s):
                return await self._post(path, body, httpx.Timeout(None, connect=within_s * CONNECT_SHARE))
        except TimeoutError:
            raise NoAnswer(TIME_OUT, f"no whole answer within {within_s:.3g} s", may_retry=True) from None
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise NoAnswer(type(error).__name__, str(error), may_retry=False) from None
        except (httpx.HTTPError, OSError) as error:
            raise NoAnswer(type(error).__name__, str(error), may_retry=True) from None

    async def close(self) -> None:
        """Close the kept connections."""
        await self._http.aclose()

    async def _post(self, path: str, body: bytes, timeout: httpx.Timeout) -> Answer:  # noqa: ASYNC109 - per step
        squeezed = self._compression.squeezed(body)
        answer = await self._exchange(path, body if squeezed is None else squeezed, squeezed is not None, timeout)
        if squeezed is not None and self._compression.refused(answer.status):
            answer = await self._exchange(path, body, False, timeout)
        self._compression.learn(answer.accepted_codings)
        return answer

    async def _exchange(
        self,
        path: str,
        body: bytes,
        is_squeezed: bool,
        timeout: httpx.Timeout,  # noqa: ASYNC109 - per step
    ) -> Answer:
        headers = {"Content-Encoding": "gzip"} if is_squeezed else {}
        request = self._http.build_request(
            "POST", self._settings.address(path), content=body, headers=headers, timeout=timeout
        )
        async with AsyncExitStack() as opened:
            opened.enter_context(self._loop.abandoning())
            response = await self._begin(request)
            opened.push_async_callback(response.aclose)
            received = bytearray()
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    raise NoAnswer("endless answer", f"answer longer than {MAX_ANSWER_BYTES} bytes", may_retry=False)
            return Answer(
                status=response.status_code,
                body=bytes(received),
                retry_after_s=_retry_after(response.headers.get("Retry-After"), time.time()),
                accepted_codings=response.headers.get("Accept-Encoding"),
            )

    async def _begin(self, request: httpx.Request) -> httpx.Response:
        connections = self._loop.connections_made
        try:
            return await self._http.send(request, stream=True)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # A kept connection that the other side closed just then: nobody read the request, so it leaves once more.
            if self._loop.connections_made != connections:
                raise
            return await self._http.send(request, stream=True)


def _needs_certificates(url: str) -> bool:
    """Whether TLS is spoken at all: loading the trusted certificates takes tens of milliseconds."""
    return not url.lower().startswith("http://") or bool(urllib.request.getproxies())


def _retry_after(header: str | None, now_s: float) -> float | None:
    """The seconds that a Retry-After header asks for; it holds seconds or a date."""
    if header is None:
        return None
    if header.isascii() and header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now_s)
    except (ValueError, OverflowError):
        return None
