"""Accounts, organizations, credits, passes, Stripe and the gateway."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("request_id", BIG, nullable=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("input_tokens", BIG, nullable=False),
        sa.Column("output_tokens", BIG, nullable=False),
        sa.Column("cost_microdollars", BIG, nullable=False),
        sa.Column("charged_microdollars", BIG, nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generations")),
    )
    op.create_index(op.f("ix_generations_message_id"), "generations", ["message_id"], unique=False)
    op.create_index(op.f("ix_generations_user_id"), "generations", ["user_id"], unique=False)
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("has_sso", sa.Boolean(), nullable=False),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stripe_customer_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("stripe_customer_id", name=op.f("uq_organizations_stripe_customer_id")),
    )
    op.create_table(
        "outgoing_letters",
        sa.Column("id", BIG, nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_letters")),
    )
    op.create_index(op.f("ix_outgoing_letters_recipient"), "outgoing_letters", ["recipient"], unique=False)
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_events")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_normalised", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_reason", sa.String(), nullable=True),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("is_bot", sa.Boolean(), nullable=False),
        sa.Column("hosted_domain", sa.String(), nullable=True),
        sa.Column("customer_source", sa.String(), nullable=True),
        sa.Column("signup_ip", sa.String(), nullable=True),
        sa.Column("signup_ja4_digest", sa.String(), nullable=True),
        sa.Column("signup_geo_country", sa.String(), nullable=True),
        sa.Column("completed_welcome_form", sa.Boolean(), nullable=False),
        sa.Column("linkedin_url", sa.String(), nullable=True),
        sa.Column("github_url", sa.String(), nullable=True),
        sa.Column("has_discord_verified", sa.Boolean(), nullable=False),
        sa.Column("stripe_customer_id", sa.String(), nullable=True),
        sa.Column("balance_microdollars", BIG, nullable=False),
        sa.Column("acquired_microdollars", BIG, nullable=False),
        sa.CheckConstraint("(blocked_at IS NULL) = (blocked_reason IS NULL)", name=op.f("ck_users_block_has_a_reason")),
        sa.CheckConstraint("acquired_microdollars >= 0", name=op.f("ck_users_acquired_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_normalised", name=op.f("uq_users_email_normalised")),
        sa.UniqueConstraint("stripe_customer_id", name=op.f("uq_users_stripe_customer_id")),
    )
    op.create_table(
        "block_changes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor_email", sa.String(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "change IN ('blocked', 'unblocked', 'reason_changed')", name=op.f("ck_block_changes_change_is_known")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_block_changes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_block_changes")),
    )
    op.create_index(op.f("ix_block_changes_user_id"), "block_changes", ["user_id"], unique=False)
    op.create_table(
        "checked_devices",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("verdict_action", sa.String(), nullable=False),
        sa.Column("is_authentic_device", sa.Boolean(), nullable=True),
        sa.Column("device_type", sa.String(), nullable=True),
        sa.Column("hardware_fingerprint", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_checked_devices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checked_devices")),
    )
    op.create_index(op.f("ix_checked_devices_user_id"), "checked_devices", ["user_id"], unique=False)
    op.create_table(
        "cohort_members",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("cohort", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cohort_members_user_id")),
        sa.PrimaryKeyConstraint("user_id", "cohort", name=op.f("pk_cohort_members")),
    )
    op.create_table(
        "email_links",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("customer_source", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_email_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_links")),
    )
    op.create_index(op.f("ix_email_links_user_id"), "email_links", ["user_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_invitations_organization_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
    )
    op.create_index(op.f("ix_invitations_organization_id"), "invitations", ["organization_id"], unique=False)
    op.create_table(
        "kilo_passes",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("streak_months", BIG, nullable=False),
        sa.Column("is_cancelling", sa.Boolean(), nullable=False),
        sa.Column("subscription_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("streak_months >= 0", name=op.f("ck_kilo_passes_streak_is_positive")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_kilo_passes_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_kilo_passes")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("microdollars", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("stripe_id", sa.String(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('purchase', 'pass', 'grant', 'usage')", name=op.f("ck_ledger_entries_kind_is_known")
        ),
        sa.CheckConstraint("microdollars <> 0", name=op.f("ck_ledger_entries_moves_something")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_ledger_entries_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_ledger_entries_stripe_id")),
    )
    op.create_index(op.f("ix_ledger_entries_user_id"), "ledger_entries", ["user_id"], unique=False)
    op.create_table(
        "linked_providers",
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_linked_providers_user_id")),
        sa.PrimaryKeyConstraint("user_id", "provider", name=op.f("pk_linked_providers")),
    )
    op.create_table(
        "members",
        sa.Column("organization_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name=op.f("ck_members_role_is_known")),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name=op.f("fk_members_organization_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_members_user_id")),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name=op.f("pk_members")),
    )
    op.create_index(op.f("ix_members_user_id"), "members", ["user_id"], unique=False)
    op.create_table(
        "stripe_owners",
        sa.Column("stripe_id", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "user_id IS NOT NULL OR organization_id IS NOT NULL", name=op.f("ck_stripe_owners_somebody_owns_it")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_stripe_owners_organization_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_stripe_owners_user_id")),
        sa.PrimaryKeyConstraint("stripe_id", name=op.f("pk_stripe_owners")),
    )


def downgrade() -> None:

    op.drop_table("stripe_owners")
    op.drop_index(op.f("ix_members_user_id"), table_name="members")
    op.drop_table("members")
    op.drop_table("linked_providers")
    op.drop_index(op.f("ix_ledger_entries_user_id"), table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_table("kilo_passes")
    op.drop_index(op.f("ix_invitations_organization_id"), table_name="invitations")
    op.drop_table("invitations")
    op.drop_index(op.f("ix_email_links_user_id"), table_name="email_links")
    op.drop_table("email_links")
    op.drop_table("cohort_members")
    op.drop_index(op.f("ix_checked_devices_user_id"), table_name="checked_devices")
    op.drop_table("checked_devices")
    op.drop_index(op.f("ix_block_changes_user_id"), table_name="block_changes")
    op.drop_table("block_changes")
    op.drop_table("users")
    op.drop_table("stripe_events")
    op.drop_index(op.f("ix_outgoing_letters_recipient"), table_name="outgoing_letters")
    op.drop_table("outgoing_letters")
    op.drop_table("organizations")
    op.drop_index(op.f("ix_generations_user_id"), table_name="generations")
    op.drop_index(op.f("ix_generations_message_id"), table_name="generations")
    op.drop_table("generations")
