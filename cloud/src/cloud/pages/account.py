"""What somebody sees of his own account: usage, keys, profile."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response
from pydantic import BaseModel

from cloud.accounts.cross_site import SameSite
from cloud.accounts.deletion import delete_user
from cloud.accounts.email_change import ask_for_email_change, confirm_email_change
from cloud.accounts.keys import list_keys, revoke_key
from cloud.accounts.linking import list_linked, unlink_provider
from cloud.accounts.providers import SSO
from cloud.accounts.routes import EmailAddress, Token
from cloud.accounts.sessions import COOKIE, Kind, start_session
from cloud.addresses import normalised
from cloud.billing.ledger import balance_of
from cloud.billing.owners import Owner
from cloud.errors import Invalid
from cloud.gateway.catalogue import CATALOGUE
from cloud.gateway.overview import list_outcomes, usage_by_model
from cloud.organizations.service import list_memberships
from cloud.pages.page import AnyPage, OwnPage

router = APIRouter(include_in_schema=False, dependencies=[SameSite])

USAGE = timedelta(days=30)
SHOWN_OUTCOMES = 20


class EmailForm(BaseModel):
    email: EmailAddress


@router.get("/dashboard")
def get_dashboard(page: OwnPage) -> Response:
    """Show the balance, what was used, and the gateway's newest answers."""
    user_id = page.user.id
    with page.cloud.database.reading() as session:
        return page.show(
            "dashboard.html",
            balance=balance_of(session, Owner(user_id=user_id)),
            usage=usage_by_model(session, user_id, page.cloud.clock() - USAGE),
            usage_days=USAGE.days,
            outcomes=list_outcomes(session, user_id, SHOWN_OUTCOMES),
        )


@router.get("/playground")
def get_playground(page: OwnPage) -> Response:
    """Ask a model from the page, and see what the gateway says."""
    with page.cloud.database.reading() as session:
        teams = [organization for _, organization in list_memberships(session, page.user.id)]
    return page.show("playground.html", models=CATALOGUE.values(), teams=teams)


@router.get("/keys")
def get_keys(page: OwnPage) -> Response:
    """List the keys of the account's programs."""
    return show_keys(page)


@router.post("/keys")
def post_key(page: OwnPage) -> Response:
    """Make a key and show it, this once."""
    return show_keys(page, start_session(page.cloud, page.user.id, Kind.API))


@router.post("/keys/{key_id}/revoke")
def post_revocation(page: OwnPage, key_id: str) -> Response:
    """Make a key worthless."""
    revoke_key(page.cloud, page.user.id, key_id)
    return page.go("/keys", "The key is revoked.")


@router.get("/profile")
def get_profile(page: OwnPage) -> Response:
    """Show who one is here, and how one signs in."""
    linked = list_linked(page.cloud, page.user.id)
    others = [name for name in page.cloud.providers.names() if name not in linked and name != SSO]
    return page.show("profile.html", linked=linked, others=others)


@router.post("/profile/providers/{provider}/unlink")
def post_unlinking(page: OwnPage, provider: str) -> Response:
    """Take a way to sign in away."""
    unlink_provider(page.cloud, page.user.id, provider)
    return page.go("/profile", "It is unlinked.")


@router.post("/profile/email")
def post_email(page: OwnPage, wish: Annotated[EmailForm, Form()]) -> Response:
    """Send a letter to the new address."""
    ask_for_email_change(page.cloud, page.user.id, wish.email)
    return page.show_letter_sent(wish.email)


@router.get("/account/email/confirm")
def get_email_link(page: AnyPage, token: str) -> Response:
    """Ask the letter's reader to confirm the new address."""
    return page.show(
        "confirm.html", title="A new address", button="Use this address", action="/profile/email/confirm", token=token
    )


@router.post("/profile/email/confirm")
def post_email_confirmation(page: AnyPage, token: Token) -> Response:
    """Make the new address the account's."""
    confirm_email_change(page.cloud, token)
    return page.go("/profile", "This is your address now.")


@router.post("/profile/delete")
def post_deletion(page: OwnPage, email: Annotated[str, Form()]) -> Response:
    """Delete the account of somebody who wrote its address down once more."""
    if normalised(email) != page.user.email_normalised:
        raise Invalid("found another address than this account's; nothing was deleted")
    delete_user(page.cloud, page.user.id)
    answer = page.go("/", "Your account is deleted.")
    answer.delete_cookie(COOKIE)
    return answer


def show_keys(page: OwnPage, new_key: str | None = None) -> Response:
    return page.show(
        "keys.html",
        keys=list_keys(page.cloud, page.user.id),
        new_key=new_key,
        address=page.cloud.settings.public_url.rstrip("/"),
    )
