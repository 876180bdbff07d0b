"""The tables' foundation: instants in UTC, one engine, transactions for reading and for writing, migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

LOCK_WAIT_SECONDS = 15
LOCK = {"key_share": True}
"""Keeps everybody else from changing a row, and lets them refer to it.

A stronger lock would wait for whoever has just written a reference to the row, who may wait for us.
"""


class Instant(TypeDecorator[datetime]):
    """A moment, aware and in UTC on both sides; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class Base(DeclarativeBase):
    """What every table is declared on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's spelling
        datetime: Instant(),
        # Microdollars outgrow 32 bits at 2,147 USD; SQLite numbers rows by itself only in an INTEGER.
        int: BigInteger().with_variant(Integer(), "sqlite"),
    }


class Database:
    """One database. A writing transaction commits as a whole or leaves nothing behind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = open_engine(url)
        self._writer = self._engine.execution_options(begins_writing=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        self._engine.dispose()


def insert_once(session: Session, table: type[Base], **values: Any) -> bool:
    """Insert the row and say so, unless one with its key is there; a rival's open transaction is waited for."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = inspect(table).primary_key[0]
    inserted = insert(table).values(**values).on_conflict_do_nothing().returning(key)
    return session.execute(inserted).first() is not None


def open_engine(url: str, *, keeps_foreign_keys: bool = True) -> Engine:
    """Connect lazily; a SQLite database is kept in WAL mode with its foreign keys enforced."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": LOCK_WAIT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    if not keeps_foreign_keys:
        event.listen(engine, "connect", _release_foreign_keys)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver would begin transactions by its own rules; `_begin_sqlite` does it by ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _release_foreign_keys(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails under concurrency unless it takes the lock at once.
    writes = connection.get_execution_options().get("begins_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(url: str) -> None:
    """Bring the tables to the newest revision; a database that is there already changes nothing."""
    # SQLite alters a table by making it anew, which its references would forbid.
    engine = open_engine(url, keeps_foreign_keys=False)
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "head")
    engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Return what Alembic needs to run the migrations on the connection."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("cloud") / "migrations"))
    config.attributes["connection"] = connection
    return config


def epoch_ms(moment: datetime) -> int:
    """Return the moment in epoch milliseconds, as events carry it."""
    return int(moment.timestamp() * 1000)
