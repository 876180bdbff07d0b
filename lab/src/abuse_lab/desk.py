"""What the service itself says: metrics, identities, decisions, events. Asked over HTTP, never inferred."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from abuse_service.decisions.decision import Decision
from abuse_service.events.event import RECORD_READ

_SECONDS = 30.0
_PAGE = 1000


class ExplainedDecision(Decision, frozen=True, kw_only=True):
    """A decision with its reasons, and the type of the event that asked for it."""

    event_type: str


class DecisionLine(msgspec.Struct, frozen=True):
    """A decision as an identity's page lists it."""

    request_id: int
    verdict: str
    action: str | None
    signals: list[str]


class SpendPage(msgspec.Struct, frozen=True):
    """What an identity's requests cost."""

    requests: int
    reports: int
    cost_microdollars: int
    input_tokens: int
    output_tokens: int


class RecordPage(msgspec.Struct, frozen=True):
    """The part of a record that the lab reads."""

    spend: SpendPage
    event_counts: dict[str, int]


class IdentityPage(msgspec.Struct, frozen=True):
    """An identity's page, newest decision first."""

    identity_key: str
    record: RecordPage
    decisions: list[DecisionLine]


class KeptEvent(msgspec.Struct, frozen=True):
    """An event as the log keeps it; ``body`` is the JSON that came."""

    position: int
    type: str
    identity_key: str | None
    body: dict[str, Any]


class _EventsPage(msgspec.Struct, frozen=True):
    events: list[KeptEvent]


class ServiceDesk:
    """Asks a service questions."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_SECONDS, trust_env=False)

    def __enter__(self) -> "ServiceDesk":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def post(self, path: str, content: object) -> dict[str, Any]:
        """The answer to a POST. Raises `httpx.HTTPError`."""
        answer: dict[str, Any] = self._http.post(path, json=content).raise_for_status().json()
        return answer

    def raw_identity(self, key: str) -> bytes:
        """An identity's whole page as JSON. Raises `httpx.HTTPError`."""
        return self._http.get(f"/api/console/identities/{quote(key, safe='')}").raise_for_status().content

    def identity(self, key: str) -> IdentityPage:
        """An identity's page. Raises `httpx.HTTPError`."""
        return msgspec.json.decode(self.raw_identity(key), type=IdentityPage)

    def decision(self, request_id: int) -> ExplainedDecision:
        """A decision with its reasons. Raises `httpx.HTTPError`."""
        page = self._http.get(f"/api/console/decisions/{request_id}").raise_for_status().content
        return msgspec.json.decode(page, type=ExplainedDecision)

    def position(self) -> int:
        """The newest durable position of the log."""
        return int(self._http.get("/readyz").raise_for_status().json()["position"])

    def events(self, after: int) -> Iterator[KeptEvent]:
        """Every event behind a position, in order, but for the notes of who reads."""
        while True:
            answer = self._http.get("/api/console/events", params={"after": after, "limit": _PAGE}).raise_for_status()
            page = msgspec.json.decode(answer.content, type=_EventsPage).events
            yield from (event for event in page if event.type != RECORD_READ)
            if not page:
                return
            after = page[-1].position

    def event_counts(self) -> dict[str, int]:
        """Events kept since the service's start, by type."""
        text = self._http.get("/metrics").raise_for_status().text
        return {
            sample.labels["type"]: int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "abuse_events_total"
        }
