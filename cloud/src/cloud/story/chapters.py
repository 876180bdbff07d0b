"""The story itself, step by step: all 17 events leave on the way."""

from collections.abc import Callable
from functools import partial

import httpx

from cloud.story.cast import Cast, gather
from cloud.story.deeds import GRAND_FREE, be_disputed, buy, drain, hold_pass, join, look, take_card_away, try_cards
from cloud.story.person import Person
from cloud.story.report import Account, StoryReport

OnStep = Callable[[int, int, str], None]
Step = tuple[str, Callable[[], object]]

REQUEST_SECONDS = 60.0
FLUSH_SECONDS = 10
AT_THE_END = "at the end"


def silent(done: int, total: int, text: str) -> None:
    """Show nothing."""


def play(cloud_url: str, *, admin_email: str, on_step: OnStep = silent) -> StoryReport:
    """Play the story against the cloud at the address and return who did what and what the cloud reported.

    `on_step(done, total, text)` is called before each step and once at the end. The cloud must have its outbox open,
    the device check and the Stripe of `cloud.local`, the loopback address among its trusted peers, and the admin's
    address among its admins; `cloud.running.run_cloud` sets it up so.
    """
    with httpx.Client(base_url=cloud_url, timeout=REQUEST_SECONDS) as http:
        cast = gather(http, admin_email)
        steps = [*arrivals(cast), *customers(cast), *teams(cast), *trouble(cast), *abuse(cast)]
        steps += [("all reports leave", partial(reports, cast.admin)), *last_looks(cast)]
        for done, (text, act) in enumerate(steps):
            on_step(done, len(steps), text)
            act()
        on_step(len(steps), len(steps), "the story is told")
        return StoryReport(accounts=tuple(map(account_of, cast.everyone())), reported=reports(cast.admin))


def arrivals(cast: Cast) -> list[Step]:
    """Everybody signs up, except the one who comes back later."""
    early = [person for person in cast.everyone() if person is not cast.same_device]
    return [(f"{person.email} signs up", partial(person.settle_in, "newsletter")) for person in early]


def customers(cast: Cast) -> list[Step]:
    """Honest life: credits, a pass, chats, a second sign-in."""
    honest, admin = cast.honest, cast.admin
    profile = {"github_url": "https://github.example.com/ada"}

    return [
        ("an honest user fills in the welcome form", partial(honest.do, "POST", "/account/welcome-form", json=profile)),
        ("an honest user buys credits", partial(buy, honest, 2_000)),
        ("an honest user takes a monthly pass", partial(hold_pass, honest, "tier_49")),
        ("an honest user chats", partial(chat_some, honest, "acme/standard-2", 4)),
        ("an honest user chats by stream", partial(honest.chat, model="acme/standard-2", stream=True)),
        ("an honest user signs in again", honest.come_in),
        ("a grant is given", partial(grant, admin, cast.granted)),
        ("the one with the grant chats", partial(chat_some, cast.granted, "acme/standard-2", 2)),
    ]


def teams(cast: Cast) -> list[Step]:
    """An organization with a member who stays and one who leaves; another one that ends."""
    owner, held = cast.owner, dict[str, str]()

    def found(name: str) -> None:
        answer = owner.do("POST", "/organizations", json={"name": name}).json()
        held[name] = answer["organization_id"]
        owner.deeds.append("founded an organization")

    def leave() -> None:
        cast.leaver.do("POST", f"/organizations/{held['works']}/leave")
        cast.leaver.deeds.append("left the organization")

    return [
        ("an organization is founded", partial(found, "works")),
        ("a member joins", lambda: join(cast.member, owner, held["works"])),
        ("another member joins", lambda: join(cast.leaver, owner, held["works"])),
        ("he leaves again", leave),
        ("the member chats for the organization", lambda: chat_some(cast.member, "open/swift-1", 2, held["works"])),
        ("a second organization is founded", partial(found, "trial")),
        ("it ends", lambda: owner.do("DELETE", f"/organizations/{held['trial']}")),
        ("a user moves to another address", partial(move, cast.mover, "erin.new@example.net")),
        ("a user deletes the account", partial(leave_for_good, cast.leaver)),
    ]


def trouble(cast: Cast) -> list[Step]:
    """Payments that went wrong: declined cards, a dispute with a warning before it."""
    declined, disputed = cast.declined, cast.disputed
    return [
        ("two cards are declined", partial(try_cards, declined)),
        ("a card comes and goes", partial(take_card_away, declined)),
        ("payments are warned about and disputed", partial(be_disputed, disputed)),
    ]


def abuse(cast: Cast) -> list[Step]:
    """An abuser is blocked and comes back on the same device; another drains the free tier; one block was wrong."""
    return [
        ("an account works like a machine", partial(chat_some, cast.blocked, "open/swift-1", 5)),
        ("an administrator blocks it", partial(block, cast.admin, cast.blocked, "resale of free access")),
        ("the blocked one tries on", partial(look, cast.blocked, "after the block")),
        ("a new account comes on the same device", partial(cast.same_device.settle_in, "search")),
        ("the new account chats", partial(look, cast.same_device, "as a new account")),
        ("an account drains the free tier", partial(drain, cast.drained)),
        ("an administrator blocks the wrong one", partial(block, cast.admin, cast.pardoned, "mistaken for another")),
        ("the block is lifted", partial(unblock, cast.admin, cast.pardoned)),
    ]


def last_looks(cast: Cast) -> list[Step]:
    """Each interesting account asks once more, now that everything is known."""
    shown = (cast.honest, cast.pardoned, cast.blocked, cast.same_device, cast.declined, cast.disputed)
    looks: list[Step] = [(f"{person.role} asks once more", partial(look, person, AT_THE_END)) for person in shown]
    return [*looks, ("drained asks once more", partial(look, cast.drained, AT_THE_END, GRAND_FREE))]


def chat_some(person: Person, model: str, times: int, organization_id: str | None = None) -> None:
    headers = {"x-organization-id": organization_id} if organization_id else {}
    for number in range(times):
        person.chat(model=model, prompt=f"Question {number + 1}.", headers=headers)
    person.deeds.append(f"asked {times} questions")


def grant(admin: Person, person: Person) -> None:
    wish = {"microdollars": 5_000_000, "note": "welcome campaign"}
    admin.do("POST", f"/admin/users/{person.kilo_user_id}/credits", json=wish)
    person.deeds.append("was given 5 USD of credits")


def block(admin: Person, person: Person, reason: str) -> None:
    admin.do("POST", f"/admin/users/{person.kilo_user_id}/block", json={"reason": reason})
    person.deeds.append(f"was blocked: {reason}")


def unblock(admin: Person, person: Person) -> None:
    admin.do("POST", f"/admin/users/{person.kilo_user_id}/unblock", json={"reason": "appeal accepted"})
    person.deeds.append("was unblocked: appeal accepted")


def move(person: Person, email: str) -> None:
    person.do("POST", "/account/email", json={"email": email})
    person.do("POST", "/account/email/confirm", data={"token": person.letter_token(email)})
    person.email = email
    person.deeds.append("moved to another address")


def leave_for_good(person: Person) -> None:
    person.do("DELETE", "/account")
    person.deeds.append("deleted the account")


def reports(admin: Person) -> dict[str, int]:
    """Wait until what was reported has left, and return the cloud's counts."""
    counts: dict[str, int] = admin.do("GET", "/admin/reports", params={"wait_seconds": FLUSH_SECONDS}).json()
    return counts


def account_of(person: Person) -> Account:
    return Account(role=person.role, kilo_user_id=person.kilo_user_id, email=person.email, deeds=tuple(person.deeds))
