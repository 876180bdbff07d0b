"""The tables of the migrations are the tables of the models."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cloud.database import migrate, open_engine
from cloud.tables import METADATA


def test_migrations_make_the_models(tmp_path: Path) -> None:
    """After all migrations nothing is left to change, and a second run changes nothing."""
    url = f"sqlite:///{tmp_path / 'cloud.db'}"
    migrate(url)
    migrate(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert differences == []
