"""What the integrations ask of a client; both clients and the recording ones have it."""

from collections.abc import Mapping
from typing import Any, Protocol

from abuse_client.contract import AuthEventPayload, CloudEvent, UnknownEvent

Fields = Mapping[str, Any]
GivenEvent = CloudEvent | UnknownEvent | Fields


class Reports(Protocol):
    """The reports of a client, none of which waits or raises."""

    def report_event(self, event: GivenEvent) -> None:
        """Report one event."""

    def report_auth_event(self, payload: AuthEventPayload | Fields) -> None:
        """Report a sign-up or sign-in."""
