"""Seats, owners who come later, sponsorships, domains of enterprise sign-on."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("organizations") as organizations:
        organizations.add_column(sa.Column("seats", BIG, nullable=False, server_default="10"))
        organizations.add_column(sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True))
        organizations.add_column(sa.Column("sponsorship_id", sa.String(), nullable=True))
        organizations.create_check_constraint(op.f("ck_organizations_seats_are_positive"), "seats >= 0")
        organizations.create_unique_constraint(op.f("uq_organizations_sponsorship_id"), ["sponsorship_id"])
    op.execute("UPDATE organizations SET announced_at = created_at")
    # Nobody loses his place because places are counted from now on.
    op.execute(
        "UPDATE organizations SET seats = (SELECT count(*) FROM members WHERE organization_id = organizations.id)"
        " WHERE (SELECT count(*) FROM members WHERE organization_id = organizations.id) > 10"
    )
    op.create_table(
        "sso_domains",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_sso_domains_organization_id")),
        sa.ForeignKeyConstraint(["verified_by"], ["users.id"], name=op.f("fk_sso_domains_verified_by")),
        sa.PrimaryKeyConstraint("organization_id", "domain", name=op.f("pk_sso_domains")),
    )
    op.create_index(
        "ix_sso_domains_verified_domain",
        "sso_domains",
        ["domain"],
        unique=True,
        sqlite_where=sa.text("verified_at IS NOT NULL"),
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("sso_domains")
    with op.batch_alter_table("organizations") as organizations:
        for column in ("seats", "announced_at", "sponsorship_id"):
            organizations.drop_column(column)
