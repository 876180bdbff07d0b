"""What people buy: each purchase opens a page of the provider, and counts when a webhook says that it is paid."""

from cloud.billing.customers import ensure_customer, find_customer
from cloud.billing.models import KiloPass
from cloud.billing.owners import Owner
from cloud.billing.payments import PaymentPage, Purpose, SavedCard, Wish
from cloud.context import Cloud
from cloud.errors import Conflict, NotFound
from cloud.organizations.roles import require_owner

TIERS = {"tier_19": 1_900, "tier_49": 4_900, "tier_199": 19_900}
"""The passes on sale and what a month costs in cents; a tier that is sold no longer lives on with its holders."""
SEAT_CENTS = 1_500


def require_payer(cloud: Cloud, user_id: str, organization_id: str | None) -> Owner:
    """Return who pays: the user, or the organization that he owns."""
    if organization_id is not None:
        with cloud.transaction() as work:
            require_owner(work, organization_id, user_id)
    return Owner(user_id=user_id, organization_id=organization_id)


def buy_credits(cloud: Cloud, owner: Owner, amount_cents: int) -> PaymentPage:
    """Open a page on which credits are paid for."""
    return open_page(cloud, owner, Purpose.CREDITS, "Credits", amount_cents)


def buy_pass(cloud: Cloud, user_id: str, tier: str) -> PaymentPage:
    """Open a page on which a monthly pass begins; nobody holds two."""
    if tier not in TIERS:
        raise NotFound(f"found no such pass, expected one of {', '.join(TIERS)}")
    with cloud.database.reading() as session:
        held = session.get(KiloPass, user_id)
    if held is not None and held.subscription_id is not None and not held.is_over:
        raise Conflict("a pass is held already; it can be cancelled")
    return open_page(cloud, Owner(user_id=user_id), Purpose.PASS, "Monthly pass", TIERS[tier], tier=tier)


def cancel_pass(cloud: Cloud, user_id: str) -> None:
    """Let the user's pass end with the month that is paid."""
    with cloud.database.reading() as session:
        held = session.get(KiloPass, user_id)
    if held is None or held.subscription_id is None or held.is_over:
        raise NotFound("found no pass to cancel")
    cloud.payments.cancel_at_period_end(held.subscription_id)


def buy_seats(cloud: Cloud, owner: Owner, seats: int) -> PaymentPage:
    """Open a page on which an organization's seats are paid for by the month."""
    return open_page(cloud, owner, Purpose.SEATS, "Seats", SEAT_CENTS, quantity=seats)


def save_card(cloud: Cloud, owner: Owner) -> PaymentPage:
    """Open a page on which a card is saved without a payment."""
    return cloud.payments.open_card_page(ensure_customer(cloud, owner), return_url(cloud))


def list_cards(cloud: Cloud, owner: Owner) -> list[SavedCard]:
    """Return the owner's saved cards, the newest first."""
    customer_id = find_customer(cloud, owner)
    return cloud.payments.list_cards(customer_id) if customer_id else []


def remove_card(cloud: Cloud, owner: Owner, card_id: str) -> None:
    """Take a card away; one of somebody else's is not found."""
    if card_id not in {card.id for card in list_cards(cloud, owner)}:
        raise NotFound("found no such card")
    cloud.payments.remove_card(card_id)


def open_page(
    cloud: Cloud, owner: Owner, purpose: Purpose, title: str, cents: int, *, quantity: int = 1, tier: str | None = None
) -> PaymentPage:
    return cloud.payments.open_page(
        Wish(
            customer_id=ensure_customer(cloud, owner),
            owner=owner,
            purpose=purpose,
            title=title,
            amount_cents=cents,
            quantity=quantity,
            tier=tier,
            return_url=return_url(cloud),
        )
    )


def return_url(cloud: Cloud) -> str:
    return f"{cloud.settings.public_url.rstrip('/')}/billing/thanks"
