"""What was decided about a request: of those that were answered the verdict, and those that were refused."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("generations") as table:
        table.add_column(sa.Column("requested_model", sa.String(), nullable=True))
        table.add_column(sa.Column("verdict", sa.String(), nullable=True))
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "refused_requests",
        sa.Column("id", whole, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("requested_model", sa.String(), nullable=False),
        sa.Column("status", whole, nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("request_id", whole, nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_refused_requests_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_requests")),
    )
    op.create_index(op.f("ix_refused_requests_user_id"), "refused_requests", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_refused_requests_user_id"), table_name="refused_requests")
    op.drop_table("refused_requests")
    with op.batch_alter_table("generations") as table:
        table.drop_column("verdict")
        table.drop_column("requested_model")
