"""Fixtures for pytest: write ``pytest_plugins = ["abuse_client.testing.plugin"]`` into your ``conftest.py``."""

from collections.abc import Generator

import pytest

from abuse_client.testing.recorder import AsyncRecordingClient, RecordingClient
from abuse_client.testing.service import FakeService, run_fake_service


@pytest.fixture
def abuse_recorder() -> RecordingClient:
    """A client that records in place of sending."""
    return RecordingClient()


@pytest.fixture
def async_abuse_recorder() -> AsyncRecordingClient:
    """The same for asyncio."""
    return AsyncRecordingClient()


@pytest.fixture
def fake_abuse_service(monkeypatch: pytest.MonkeyPatch) -> Generator[FakeService]:
    """A running fake service, which clients made from the environment find; at the end the contract must be kept."""
    with run_fake_service() as service:
        monkeypatch.setenv("ABUSE_SERVICE_URL", service.url)
        yield service
        service.assert_contract_kept()
