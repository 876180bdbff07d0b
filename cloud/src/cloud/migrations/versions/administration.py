"""Who did what, blocks included; the domain blacklist."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEEP_BLOCKS = """
INSERT INTO audit_entries (id, action, user_id, reason, actor_email, done_at)
SELECT id, change, user_id, reason, actor_email, changed_at FROM block_changes
"""


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor_email", sa.String(), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_audit_entries_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_entries_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
    )
    for column in ("action", "user_id", "done_at"):
        op.create_index(op.f(f"ix_audit_entries_{column}"), "audit_entries", [column], unique=False)
    op.execute(KEEP_BLOCKS)
    op.drop_index(op.f("ix_block_changes_user_id"), table_name="block_changes")
    op.drop_table("block_changes")
    op.create_table(
        "blacklisted_domains",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor_email", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("domain = lower(domain)", name=op.f("ck_blacklisted_domains_domain_is_lower_case")),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_blacklisted_domains")),
    )


def downgrade() -> None:
    raise NotImplementedError("the list of who did what is not taken apart again: restore a backup from before")
