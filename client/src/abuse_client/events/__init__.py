"""One constructor for each of the 17 events, named as the wire names them with ``_`` for ``.``.

Each takes the fields of the contract by name, keeps what it does not know (``**further``), and never guesses
``occurred_at``: leave it out when the business time is unknown.
"""

from abuse_client.events.billing import billing_credit_purchased, billing_kilo_pass_changed
from abuse_client.events.organizations import org_created, org_deleted, org_member_added, org_member_removed
from abuse_client.events.stripe import (
    stripe_charge_dispute_created,
    stripe_charge_dispute_funds_withdrawn,
    stripe_charge_failed,
    stripe_payment_intent_succeeded,
    stripe_payment_method_attached,
    stripe_payment_method_detached,
    stripe_radar_early_fraud_warning_created,
)
from abuse_client.events.users import user_blocked, user_deleted, user_email_changed, user_unblocked

__all__ = [
    "billing_credit_purchased",
    "billing_kilo_pass_changed",
    "org_created",
    "org_deleted",
    "org_member_added",
    "org_member_removed",
    "stripe_charge_dispute_created",
    "stripe_charge_dispute_funds_withdrawn",
    "stripe_charge_failed",
    "stripe_payment_intent_succeeded",
    "stripe_payment_method_attached",
    "stripe_payment_method_detached",
    "stripe_radar_early_fraud_warning_created",
    "user_blocked",
    "user_deleted",
    "user_email_changed",
    "user_unblocked",
]
