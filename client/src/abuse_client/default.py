"""The helpers as plain functions, over one client that is made from the environment at first use."""

from collections.abc import Iterable
from concurrent.futures import Future

from abuse_client.client import AbuseClient
from abuse_client.contract import AuthEventPayload, Classification, ClassifyPayload, CostPayload, EventsBatch
from abuse_client.drafts import Fields, GivenEvent
from abuse_client.tally import Stats

_clients: dict[str, AbuseClient] = {}


def default_client() -> AbuseClient:
    """The client behind the functions of this module."""
    # No lock, which a fork could leave held: of two clients made at once one is used, the other never starts.
    return _clients.get("default") or _clients.setdefault("default", AbuseClient())


def classify_request(payload: ClassifyPayload | Fields, deadline: float = 2.0) -> Classification | None:
    """Ask what to do with an LLM request; ``None`` when there is no answer within ``deadline`` seconds."""
    return default_client().classify_request(payload, deadline)


def start_classification(payload: ClassifyPayload | Fields, deadline: float = 2.0) -> "Future[Classification | None]":
    """Ask without waiting: a future of what `classify_request` returns, there within ``deadline`` seconds or so."""
    return default_client().start_classification(payload, deadline)


def report_cost(payload: CostPayload | Fields) -> None:
    """Report what a request cost. Nothing is sent without the ``request_id`` of a classification."""
    default_client().report_cost(payload)


def report_auth_event(payload: AuthEventPayload | Fields) -> None:
    """Report a sign-up or sign-in."""
    default_client().report_auth_event(payload)


def report_event(event: GivenEvent) -> None:
    """Report one business event, made by `abuse_client.events` or given as a mapping."""
    default_client().report_event(event)


def report_events(events: Iterable[GivenEvent] | EventsBatch | Fields) -> None:
    """Report any number of business events; one that is wrong does not hold up the others."""
    default_client().report_events(events)


def flush(timeout: float) -> bool:
    """Wait until every report so far is sent or given up; ``False`` when that took longer than ``timeout``."""
    return default_client().flush(timeout)


def close() -> None:
    """Flush for a moment, then stop. The next call makes a new client from the environment."""
    client = _clients.pop("default", None)
    if client is not None:
        client.close()


def stats() -> Stats:
    """What became of everything so far."""
    return default_client().stats()
