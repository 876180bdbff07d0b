"""Sign-in by providers, and sessions that can be ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("linked_providers", sa.Column("subject", sa.String(), nullable=True))
    op.create_index("ix_linked_providers_provider_subject", "linked_providers", ["provider", "subject"], unique=True)
    op.create_table(
        "sign_in_attempts",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=True),
        sa.Column("code_verifier", sa.String(), nullable=False),
        sa.Column("return_to", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("sso_domain", sa.String(), nullable=True),
        sa.Column("customer_source", sa.String(), nullable=True),
        sa.Column("telemetry_id", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_in_attempts_user_id")),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_sign_in_attempts")),
    )
    op.create_index(op.f("ix_sign_in_attempts_user_id"), "sign_in_attempts", ["user_id"], unique=False)
    op.create_index(op.f("ix_sign_in_attempts_asked_at"), "sign_in_attempts", ["asked_at"], unique=False)
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('page', 'api')", name=op.f("ck_user_sessions_kind_is_known")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
    )
    op.create_index(op.f("ix_user_sessions_user_id"), "user_sessions", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("user_sessions")
    op.drop_table("sign_in_attempts")
    op.drop_index("ix_linked_providers_provider_subject", table_name="linked_providers")
    op.drop_column("linked_providers", "subject")
