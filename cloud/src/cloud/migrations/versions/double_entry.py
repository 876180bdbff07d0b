"""The ledger by double entry; balances of users and organizations in a table of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KEEP_BALANCES = """
INSERT INTO balances (account, microdollars, acquired_microdollars)
SELECT 'user:' || id,
       CASE WHEN balance_microdollars > 0 THEN balance_microdollars ELSE 0 END,
       acquired_microdollars
FROM users WHERE acquired_microdollars > 0 OR balance_microdollars <> 0
"""

KEEP_POSTINGS = """
INSERT INTO postings (id, debited, credited, microdollars, kind, note, stripe_id, posted_at)
SELECT id,
       CASE kind WHEN 'usage' THEN 'user:' || user_id WHEN 'grant' THEN 'grants' ELSE 'stripe' END,
       CASE kind WHEN 'usage' THEN 'usage' ELSE 'user:' || user_id END,
       CASE WHEN microdollars < 0 THEN -microdollars ELSE microdollars END,
       kind, note, stripe_id, booked_at
FROM ledger_entries
"""

MEND_NEGATIVE_BALANCES = """
INSERT INTO postings (id, debited, credited, microdollars, kind, note, stripe_id, posted_at)
SELECT 'shortfall-' || id, 'shortfall', 'user:' || id, -balance_microdollars, 'shortfall', NULL, NULL, CURRENT_TIMESTAMP
FROM users WHERE balance_microdollars < 0
"""


def upgrade() -> None:
    op.create_table(
        "postings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("debited", sa.String(), nullable=False),
        sa.Column("credited", sa.String(), nullable=False),
        sa.Column("microdollars", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("stripe_id", sa.String(), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("microdollars > 0", name=op.f("ck_postings_moves_something")),
        sa.CheckConstraint("debited <> credited", name=op.f("ck_postings_moves_between_two")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_postings_stripe_id")),
    )
    op.create_index(op.f("ix_postings_credited"), "postings", ["credited"], unique=False)
    op.create_index(op.f("ix_postings_debited"), "postings", ["debited"], unique=False)
    op.create_table(
        "balances",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("microdollars", BIG, nullable=False),
        sa.Column("acquired_microdollars", BIG, nullable=False),
        sa.CheckConstraint("microdollars >= 0", name=op.f("ck_balances_never_negative")),
        sa.CheckConstraint("acquired_microdollars >= microdollars", name=op.f("ck_balances_all_was_acquired")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_balances")),
    )
    for statement in (KEEP_BALANCES, KEEP_POSTINGS, MEND_NEGATIVE_BALANCES):
        op.execute(statement)
    op.drop_index(op.f("ix_ledger_entries_user_id"), table_name="ledger_entries")
    op.drop_table("ledger_entries")
    with op.batch_alter_table("users") as users:
        users.drop_constraint(op.f("ck_users_acquired_is_positive"), type_="check")
        users.drop_column("balance_microdollars")
        users.drop_column("acquired_microdollars")


def downgrade() -> None:
    raise NotImplementedError("the ledger cannot go back to single entries: restore a backup from before")
