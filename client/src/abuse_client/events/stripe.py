"""Stripe's webhook events, passed through.

``data`` is the webhook event, whole or a flat slice of it. Name the user where you know him: a dispute, a fraud warning
and a detached payment method do not say whose they are. ``occurred_at`` is the webhook's ``created`` in milliseconds.
"""

from collections.abc import Mapping
from typing import Any

from abuse_client.contract import (
    StripeChargeFailed,
    StripeDisputeCreated,
    StripeDisputeFundsWithdrawn,
    StripeEarlyFraudWarning,
    StripeEventData,
    StripePaymentMethodAttached,
    StripePaymentMethodDetached,
    StripePaymentSucceeded,
    read_object,
)


def stripe_payment_method_attached(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripePaymentMethodAttached:
    """A payment method was attached to a customer."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripePaymentMethodAttached(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_payment_method_detached(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripePaymentMethodDetached:
    """A payment method was detached; pass ``previous_attributes``, which name the owner."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripePaymentMethodDetached(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_charge_dispute_created(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripeDisputeCreated:
    """A card holder disputed a charge."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripeDisputeCreated(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_charge_dispute_funds_withdrawn(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripeDisputeFundsWithdrawn:
    """Stripe withdrew a disputed amount."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripeDisputeFundsWithdrawn(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_radar_early_fraud_warning_created(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripeEarlyFraudWarning:
    """A card network warned of fraud."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripeEarlyFraudWarning(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_charge_failed(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripeChargeFailed:
    """A charge was declined."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripeChargeFailed(data=owned, occurred_at=occurred_at, event_id=event_id)


def stripe_payment_intent_succeeded(
    data: Mapping[str, Any],
    *,
    kilo_user_id: str | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
) -> StripePaymentSucceeded:
    """A payment went through."""
    owned = _owned(data, kilo_user_id, organization_id)
    return StripePaymentSucceeded(data=owned, occurred_at=occurred_at, event_id=event_id)


def _owned(data: Mapping[str, Any], kilo_user_id: str | None, organization_id: str | None) -> StripeEventData:
    owners = {"kilo_user_id": kilo_user_id, "organization_id": organization_id}
    known = {name: owner for name, owner in owners.items() if owner is not None}
    return read_object(StripeEventData, {**data, **known}, keep_unknown=True).value
