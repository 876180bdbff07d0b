"""The tables of the migrations are the tables of the models, on both databases, and keep what they find."""

from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from cloud.billing.ledger import balance_of, list_discrepancies
from cloud.billing.owners import Owner
from cloud.database import migrate, migration_config, open_engine
from cloud.tables import METADATA

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@BOTH
def test_migrations_make_the_models(make_database: Any, kind: str) -> None:
    """After all migrations nothing is left to change, and a second run changes nothing."""
    url = make_database(kind)
    migrate(url)
    migrate(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert differences == []


@BOTH
def test_single_entries_become_double(make_database: Any, kind: str) -> None:
    """Credits and usage from before the double entry keep their sums; a negative balance goes to the shortfall."""
    url = make_database(kind)
    engine = open_engine(url, keeps_foreign_keys=False)
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "0001")
        for user, balance, acquired in (("u1", 400, 1_000), ("u2", -50, 100), ("u3", 0, 0)):
            connection.execute(text(USER), {"id": user, "balance": balance, "acquired": acquired})
        entries = (("u1", 1_000, "purchase", "pi_1"), ("u1", -600, "usage", None))
        more = (("u2", 100, "grant", None), ("u2", -150, "usage", None))
        for number, (user, amount, name, stripe_id) in enumerate([*entries, *more]):
            row = {"id": f"e{number}", "user": user, "amount": amount, "kind": name, "stripe_id": stripe_id}
            connection.execute(text(ENTRY), row)
    engine.dispose()
    migrate(url)
    engine = open_engine(url)
    with Session(engine) as session:
        held = {user: balance_of(session, Owner(user_id=user)) for user in ("u1", "u2", "u3")}
        found = {user: (balance.microdollars, balance.acquired_microdollars) for user, balance in held.items()}
        wrong = list_discrepancies(session)
    engine.dispose()
    assert found == {"u1": (400, 1_000), "u2": (0, 100), "u3": (0, 0)}
    assert wrong == []


USER = """
INSERT INTO users (id, email, email_normalised, created_at, is_admin, is_bot, completed_welcome_form,
                   has_discord_verified, balance_microdollars, acquired_microdollars)
VALUES (:id, :id, :id, '2026-01-01 00:00:00', false, false, false, false, :balance, :acquired)
"""
ENTRY = """
INSERT INTO ledger_entries (id, user_id, microdollars, kind, stripe_id, booked_at)
VALUES (:id, :user, :amount, :kind, :stripe_id, '2026-01-02 00:00:00')
"""
