"""Events about credits and the monthly pass."""

from typing import Any

from abuse_client.contract import (
    BillingCreditPurchased,
    BillingCreditPurchasedData,
    BillingKiloPassChanged,
    BillingKiloPassChangedData,
)


def billing_credit_purchased(
    *,
    kilo_user_id: str,
    microdollars_acquired: int,
    total_microdollars_acquired: int | None = None,
    is_free: bool | None = None,
    organization_id: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> BillingCreditPurchased:
    """Credits were bought, or granted (``is_free``). Amounts in microdollars: 1 USD cent is 10,000."""
    data = BillingCreditPurchasedData(
        kilo_user_id=kilo_user_id,
        microdollars_acquired=microdollars_acquired,
        total_microdollars_acquired=total_microdollars_acquired,
        is_free=is_free,
        organization_id=organization_id,
        extra=further,
    )
    return BillingCreditPurchased(data=data, occurred_at=occurred_at, event_id=event_id)


def billing_kilo_pass_changed(
    *,
    kilo_user_id: str,
    tier: str | None = None,
    status: str | None = None,
    streak_months: int | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> BillingKiloPassChanged:
    """Tier, status or streak of the pass changed; a reset streak is 0."""
    data = BillingKiloPassChangedData(
        kilo_user_id=kilo_user_id, tier=tier, status=status, streak_months=streak_months, extra=further
    )
    return BillingKiloPassChanged(data=data, occurred_at=occurred_at, event_id=event_id)
