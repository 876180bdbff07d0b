"""Where the service is and how much may wait for it."""

import os
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from abuse_client.time_limits import LONGEST_S

URL_VARIABLE = "ABUSE_SERVICE_URL"
CLIENT_ID_VARIABLE = "ABUSE_SERVICE_CF_ACCESS_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "ABUSE_SERVICE_CF_ACCESS_CLIENT_SECRET"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs to know. `resolve` fills in what the environment says."""

    url: str = ""
    """Base address of the service; empty: every helper does nothing."""
    client_id: str = ""
    client_secret: str = ""
    strict: bool = False
    """Whether a wrong payload raises at the call, for development."""
    max_queued: Annotated[int, Meta(ge=1)] = 50_000
    """Reports that may wait; beyond it the oldest is dropped."""
    max_queued_bytes: Annotated[int, Meta(ge=1)] = 32 * 2**20
    """Memory that waiting reports may take; what they take beside their bytes is counted."""
    max_prompt_characters: Annotated[int, Meta(ge=0)] = 8192
    """Characters of each prompt that leave with a question; of a longer one its length and hash go along."""
    max_questions: Annotated[int, Meta(ge=0)] = 256
    """Questions that nobody waits for that may be under way; beyond it they are not asked."""
    linger_s: Annotated[float, Meta(ge=0, le=LONGEST_S)] = 0.05
    """How long reports wait for others to share a request with."""
    compress: bool = True
    """Whether large bodies leave compressed once the service has said that it takes that."""
    attempt_timeout_s: Annotated[float, Meta(gt=0, le=LONGEST_S)] = 10.0
    """How long one attempt to deliver reports may take, connecting and reading included."""
    exit_flush_s: Annotated[float, Meta(ge=0, le=LONGEST_S)] = 2.0
    """How long the end of the interpreter and `close` wait for reports that are still queued."""

    def __repr__(self) -> str:
        return f"Settings(url={self.url!r}, strict={self.strict!r})"

    @property
    def token_headers(self) -> dict[str, str]:
        """The service token's two headers, or none of them unless both values are usable."""
        if not (_is_header_value(self.client_id) and _is_header_value(self.client_secret)):
            return {}
        return {"CF-Access-Client-Id": self.client_id, "CF-Access-Client-Secret": self.client_secret}

    @property
    def has_unusable_token(self) -> bool:
        """Whether both values are set and one of them cannot be sent in a header."""
        return bool(self.client_id and self.client_secret and not self.token_headers)

    def address(self, path: str) -> str:
        """The full address of an endpoint; a slash at the end of the base address does no harm."""
        return self.url.rstrip("/") + path


def resolve(
    url: str | None,
    client_id: str | None,
    client_secret: str | None,
    *,
    environment: Mapping[str, str] = os.environ,
    **further: float | bool,
) -> Settings:
    """Settings from arguments; ``None`` means what the environment says. Raises `ValueError` naming what is wrong."""
    chosen = {"url": url, "client_id": client_id, "client_secret": client_secret}
    variables = {"url": URL_VARIABLE, "client_id": CLIENT_ID_VARIABLE, "client_secret": CLIENT_SECRET_VARIABLE}
    texts = {
        name: (environment.get(variables[name], "") if given is None else given).strip()
        for name, given in chosen.items()
    }
    return msgspec.convert(texts | further, Settings)


def _is_header_value(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()
