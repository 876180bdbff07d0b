"""For the tests of whoever embeds the client: record in place of sending, and see a wrong field in your own CI.

`RecordingClient` and `AsyncRecordingClient` stand in for the clients, `run_fake_service` runs a service on loopback
that checks what comes against the contract, `classification` builds answers to give, and `abuse_client.testing.plugin`
has the fixtures for pytest.
"""

from abuse_client.testing.answers import classification
from abuse_client.testing.checks import WrongPayload, problems_in, problems_in_event
from abuse_client.testing.recorder import AsyncRecordingClient, RecordingClient
from abuse_client.testing.service import FakeService, run_fake_service

__all__ = [
    "AsyncRecordingClient",
    "FakeService",
    "RecordingClient",
    "WrongPayload",
    "classification",
    "problems_in",
    "problems_in_event",
    "run_fake_service",
]
