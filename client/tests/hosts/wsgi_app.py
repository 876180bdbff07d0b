"""A WSGI application that reports and asks in each request."""

import os
from collections.abc import Callable, Iterable

from abuse_client import AbuseClient, events

client = AbuseClient()
client.report_event(events.user_deleted(kilo_user_id="loaded"))
client.flush(5)


def app(environ: dict[str, object], start: Callable[..., object]) -> Iterable[bytes]:
    """Answer the process's number and the id of the classification."""
    answer = client.classify_request({}, deadline=5)
    client.report_event(events.user_deleted(kilo_user_id=f"served by {os.getpid()}"))
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {answer.request_id if answer else None}".encode()]
