"""The way out to the abuse service: fire and forget, at most 200 events a batch, counted."""

from collections import Counter
from collections.abc import Sequence
from threading import Lock

from abuse_client import AbuseClient
from abuse_client.contract import AuthEventPayload, CloudEvent

MAX_EVENTS_A_BATCH = 200


class ReportCounts:
    """How much of each kind was reported since the start; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, number: int = 1) -> None:
        with self._lock:
            self._counts[kind] += number

    def read(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class Reporting:
    """Hands events to the abuse client and never fails or delays the flow that they come from."""

    def __init__(self, client: AbuseClient, counts: ReportCounts) -> None:
        self._client = client
        self.counts = counts

    def report_events(self, events: Sequence[CloudEvent]) -> None:
        for start in range(0, len(events), MAX_EVENTS_A_BATCH):
            batch = list(events[start : start + MAX_EVENTS_A_BATCH])
            self._client.report_events(batch)
            for event in batch:
                self.counts.add(wire_type(event))

    def report_auth_event(self, payload: AuthEventPayload) -> None:
        self._client.report_auth_event(payload)
        self.counts.add(f"auth.{payload.event_type}")

    def flush(self, timeout: float) -> bool:
        return bool(self._client.flush(timeout))

    def close(self) -> None:
        self._client.close()


def wire_type(event: CloudEvent) -> str:
    """Return the event's `type` as it crosses the wire."""
    return str(event.__struct_config__.tag)
