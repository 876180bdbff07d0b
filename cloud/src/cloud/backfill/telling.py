"""One thing to tell, and how the client is told it."""

from dataclasses import dataclass
from typing import Any

from abuse_client import AbuseClient
from abuse_client.contract import AuthEventPayload, CloudEvent, to_builtins


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One event or auth event, with the time when it happened."""

    at_ms: int
    id: str
    said: dict[str, Any]

    @property
    def is_entry(self) -> bool:
        """Whether it is a sign-up or sign-in, which has an endpoint of its own."""
        return "event_type" in self.said

    def tell(self, client: AbuseClient) -> None:
        """Hand it to the client, which sends it in its own time."""
        if self.is_entry:
            client.report_auth_event(self.said)
        else:
            client.report_event(self.said)


def telling_of(said: AuthEventPayload | CloudEvent) -> Telling:
    """Return the telling of an event that has its time and its id."""
    if said.occurred_at is None or said.event_id is None:
        raise ValueError("found an event without occurred_at or event_id, expected both")
    return Telling(at_ms=said.occurred_at, id=said.event_id, said=to_builtins(said))
