"""One running service for all tests of the lab that need one, and the fixtures that nobody here wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abuse_lab.service_process import ServiceProcess, run_service

FIXTURES = Path(__file__).resolve().parents[2].parent / "shared" / "fixtures"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service as an operator runs it; its identities are never the same twice."""
    with run_service(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture
def shared_fixtures() -> Path:
    """Third-party inputs beside the repository; where they are absent the test is skipped."""
    if not FIXTURES.is_dir():
        pytest.skip(f"no third-party fixtures at {FIXTURES}; generated ones are tested all the same")
    return FIXTURES
