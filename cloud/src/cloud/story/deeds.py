"""What people of the story do that takes more than one request."""

import httpx

from cloud.gateway.catalogue import CATALOGUE
from cloud.story.person import FREE_MODEL, Person

GRAND_FREE = "acme/grand-2:free"
GRAND_UPSTREAM = CATALOGUE[GRAND_FREE].upstream_name
DRAIN_MAX_TOKENS = 6_000
"""At 75 USD a million tokens one such answer costs 0.45 USD upstream, and its reader nothing."""
DRAIN_MICRODOLLARS = 1_200_000
DRAIN_MAX_HELD_BACK = 3
MICRODOLLARS = 1_000_000
PAID = 303
STOLEN_CARD, EMPTY_CARD = "4000000000009979", "4000000000009995"
DISPUTED_CARD, WARNED_CARD = "4000000000000259", "4000000000005423"
"""Numbers that Stripe documents for trying what a bank does."""


def buy(buyer: Person, amount_cents: int, card_number: str | None = None) -> None:
    """Buy credits with the person's own card, or with another one."""
    page = buyer.do("POST", "/billing/credits", json={"amount_cents": amount_cents}).json()
    if buyer.pay(page, card_number).status_code == PAID:
        buyer.deeds.append(f"bought {amount_cents / 100:.0f} USD of credits")


def hold_pass(person: Person, tier: str) -> None:
    """Take a monthly pass."""
    person.pay(person.do("POST", "/billing/pass", json={"tier": tier}).json())
    person.deeds.append("holds a monthly pass")


def try_cards(person: Person) -> None:
    """Try two cards that the bank declines."""
    page = person.do("POST", "/billing/credits", json={"amount_cents": 2_000}).json()
    for number in (STOLEN_CARD, EMPTY_CARD):
        person.pay(page, number)
    person.deeds.append("two cards were declined")


def take_card_away(person: Person) -> None:
    """Save a card and remove it again."""
    person.pay(person.do("POST", "/billing/cards", json={}).json())
    for card in person.do("GET", "/billing/cards").json():
        person.do("DELETE", f"/billing/cards/{card['card_id']}")
    person.deeds.append("attached a card and took it away")


def be_disputed(person: Person) -> None:
    """Pay with a card that is not the person's: its network warns, and its holder disputes."""
    buy(person, 3_000, WARNED_CARD)
    buy(person, 5_000, DISPUTED_CARD)
    person.deeds.append("the card's holder disputed the payment")


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
