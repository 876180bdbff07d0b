"""A sign-up or sign-in as frameworks know it."""

from typing import Any

from abuse_client.contract import AuthEventType
from abuse_client.gateway.facts import RequestFacts


def auth_event(
    kind: AuthEventType, facts: RequestFacts | None, *, kilo_user_id: str, email: str, **fields: Any
) -> dict[str, Any]:
    """The report of a sign-up or sign-in, with what the network says; ``fields`` are the contract's and win."""
    seen = facts.to_auth_payload() if facts is not None else {}
    return {"kilo_user_id": kilo_user_id, "event_type": kind.value, "email": email, **seen, **fields}
