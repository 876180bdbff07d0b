"""What a record lets go of with the account: values that tell a person. Counts, times and amounts stay."""

from abuse_service.identities.networks import Networks
from abuse_service.identities.record import Record

STAYS = frozenset(
    {
        "account_created_at",
        "auth_method",
        "auth_providers",
        "cohorts",
        "completed_welcome_form",
        "customer_source",
        "geo_country",
        "has_discord_verified",
        "has_github_url",
        "has_linkedin_url",
        "has_validation_novel_card_with_hold",
        "has_validation_stytch",
        "is_admin",
        "is_blocked",
        "is_bot",
        "stytch_device_type",
        "stytch_is_authentic_device",
        "stytch_verdict_action",
    }
)
"""Of the profile. A field that is new to the contract is personal until it stands here."""


def forget_personal(record: Record) -> None:
    """Let go of profile, sign-up, addresses and checks as far as they are personal.

    Ids of payments stay until the log itself is erased: a dispute about a deleted account's payment is still joined.
    """
    for _, fields in record.profile:
        for name in fields.keys() - STAYS:
            del fields[name]
    record.profile[:] = [layer for layer in record.profile if layer[1]]
    record.signup.clear()
    record.emails.clear()
    record.checks.clear()
    record.networks = Networks()
