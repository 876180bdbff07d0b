"""Seats, automatic top-ups and promotional codes; passes know their subscription."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("kilo_passes", sa.Column("subscription_id", sa.String(), nullable=True))
    op.create_table(
        "seat_subscriptions",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("seats", BIG, nullable=False),
        sa.Column("subscription_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("seats >= 0", name=op.f("ck_seat_subscriptions_seats_are_positive")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_seat_subscriptions_organization_id")
        ),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_seat_subscriptions")),
    )
    op.create_table(
        "auto_top_ups",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("threshold_microdollars", BIG, nullable=False),
        sa.Column("amount_cents", BIG, nullable=False),
        sa.Column("card_id", sa.String(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "amount_cents > 0 AND threshold_microdollars > 0", name=op.f("ck_auto_top_ups_moves_something")
        ),
        sa.CheckConstraint(
            "(attempt_id IS NULL) = (attempted_at IS NULL)", name=op.f("ck_auto_top_ups_attempt_has_a_time")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_auto_top_ups_user_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_auto_top_ups_organization_id")
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_auto_top_ups")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_auto_top_ups_attempt_id")),
    )
    op.create_table(
        "promo_codes",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("microdollars", BIG, nullable=False),
        sa.Column("most_redemptions", BIG, nullable=True),
        sa.Column("redemptions", BIG, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("microdollars > 0", name=op.f("ck_promo_codes_gives_something")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_promo_codes")),
    )
    op.create_table(
        "redemptions",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["promo_codes.code"], name=op.f("fk_redemptions_code")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_redemptions_user_id")),
        sa.PrimaryKeyConstraint("code", "user_id", name=op.f("pk_redemptions")),
    )


def downgrade() -> None:
    for table in ("redemptions", "promo_codes", "auto_top_ups", "seat_subscriptions"):
        op.drop_table(table)
    op.drop_column("kilo_passes", "subscription_id")
