"""Whose letters, links and invitations are, under whatever address: a deletion takes them along."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = {"outgoing_letters": "recipient", "email_links": "email", "invitations": "email"}
NEW_USER_COLUMNS = ("outgoing_letters", "invitations")


def upgrade() -> None:
    op.drop_index(op.f("ix_outgoing_letters_recipient"), table_name="outgoing_letters")
    for name, column in COLUMNS.items():
        with op.batch_alter_table(name) as table:
            table.add_column(sa.Column(f"{column}_normalised", sa.String(), nullable=False, server_default=""))
            if name in NEW_USER_COLUMNS:
                table.add_column(sa.Column("user_id", sa.String(), nullable=True))
                table.create_foreign_key(op.f(f"fk_{name}_user_id"), "users", ["user_id"], ["id"])
        op.execute(f"UPDATE {name} SET {column}_normalised = lower(trim({column}))")
        op.create_index(op.f(f"ix_{name}_{column}_normalised"), name, [f"{column}_normalised"], unique=False)
        if name in NEW_USER_COLUMNS:
            op.create_index(op.f(f"ix_{name}_user_id"), name, ["user_id"], unique=False)


def downgrade() -> None:
    for name, column in COLUMNS.items():
        op.drop_index(op.f(f"ix_{name}_{column}_normalised"), table_name=name)
        if name in NEW_USER_COLUMNS:
            op.drop_index(op.f(f"ix_{name}_user_id"), table_name=name)
        with op.batch_alter_table(name) as table:
            table.drop_column(f"{column}_normalised")
            if name in NEW_USER_COLUMNS:
                table.drop_constraint(op.f(f"fk_{name}_user_id"), type_="foreignkey")
                table.drop_column("user_id")
    op.create_index(op.f("ix_outgoing_letters_recipient"), "outgoing_letters", ["recipient"], unique=False)
