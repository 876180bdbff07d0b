"""What people of the story do that takes more than one request."""

from typing import Any

import httpx

from cloud.gateway.catalogue import CATALOGUE
from cloud.story.person import FREE_MODEL, Person
from cloud.story.stripe_desk import StripeDesk, payment_intent, payment_method

GRAND_FREE = "acme/grand-2:free"
GRAND_UPSTREAM = CATALOGUE[GRAND_FREE].upstream_name
DRAIN_MAX_TOKENS = 6_000
"""At 75 USD a million tokens one such answer costs 0.45 USD upstream, and its reader nothing."""
DRAIN_MICRODOLLARS = 1_200_000
DRAIN_MAX_HELD_BACK = 3
MICRODOLLARS = 1_000_000


def buy(buyer: Person, desk: StripeDesk, amount_cents: int) -> dict[str, Any]:
    """Attach a card, pay, and return the payment as Stripe reported it."""
    purchase = buyer.do("POST", "/billing/credits", json={"amount_cents": amount_cents}).json()
    card = payment_method(purchase["stripe_customer_id"], f"card-of-{buyer.kilo_user_id[:8]}")
    desk.post("payment_method.attached", card).raise_for_status()
    intent = payment_intent(purchase, amount_cents, buyer.kilo_user_id)
    desk.post("payment_intent.succeeded", intent).raise_for_status()
    buyer.deeds.append(f"bought {amount_cents / 100:.0f} USD of credits")
    return intent


def customer_id(person: Person) -> str:
    """Return the person's Stripe customer, opened at the first need."""
    return str(person.do("POST", "/billing/customer").json()["stripe_customer_id"])


def join(member: Person, owner: Person, organization_id: str) -> None:
    """Be invited by the owner and accept."""
    invitation = {"email": member.email, "role": "member"}
    owner.do("POST", f"/organizations/{organization_id}/invitations", json=invitation)
    member.do("POST", "/invitations/accept", data={"token": member.letter_token(member.email)})
    member.deeds.append("joined an organization")


def drain(person: Person) -> None:
    """Use an expensive model for nothing until 1.20 USD are gone, or until the gateway has held back three times."""
    asked = held_back = 0
    while person.spent_microdollars < DRAIN_MICRODOLLARS and held_back < DRAIN_MAX_HELD_BACK:
        response = person.chat(model=GRAND_FREE, max_tokens=DRAIN_MAX_TOKENS, prompt="Write the whole book.")
        asked, held_back = asked + 1, held_back + is_held_back(response)
    spent_usd = person.spent_microdollars / MICRODOLLARS
    person.deeds.append(f"spent {spent_usd:.2f} USD on free models in {asked} requests, paid nothing")


def is_held_back(response: httpx.Response) -> bool:
    """Say whether the gateway refused, or let a cheaper model answer."""
    return not response.is_success or response.json()["model"] != GRAND_UPSTREAM


def look(person: Person, when: str, model: str = FREE_MODEL) -> None:
    """Ask the gateway once more and note what it said."""
    response = person.chat(model=model, prompt="One more question.")
    if response.is_success:
        said = f"answered by {response.json()['model']}"
    else:
        said = f"refused ({response.json()['error']['code']})"
    person.deeds.append(f"asked {model} {when}: {said}")
