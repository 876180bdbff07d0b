"""The history of accounts, and how far a backfill of it has come."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "happenings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("occurred_at_ms", INTEGER, nullable=False),
        sa.Column("actor_email", sa.String(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happenings")),
    )
    op.create_index("ix_happenings_occurred_at_ms_id", "happenings", ["occurred_at_ms", "id"])
    for column in ("user_id", "organization_id"):
        op.create_index(op.f(f"ix_happenings_{column}"), "happenings", [column])
    op.create_table(
        "backfill_cursors",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("reached_ms", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_backfill_cursors")),
    )


def downgrade() -> None:
    op.drop_table("backfill_cursors")
    op.drop_table("happenings")
