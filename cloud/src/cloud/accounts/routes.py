"""Sign-up, sign-in, the account's own pages."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from cloud.accounts.cross_site import SameSite
from cloud.accounts.deletion import delete_user
from cloud.accounts.devices import check_device
from cloud.accounts.email_change import ask_for_email_change, confirm_email_change
from cloud.accounts.models import User
from cloud.accounts.profile import complete_welcome_form
from cloud.accounts.service import ask_for_link, enter_by_link
from cloud.accounts.sessions import COOKIE, Kind, SignedIn, end_session, set_session_cookie, start_session
from cloud.billing.ledger import balance_of
from cloud.billing.models import Balance
from cloud.billing.owners import Owner
from cloud.context import Context, Facts

router = APIRouter(tags=["accounts"])


def checked_email(email: str) -> str:
    name, _, domain = email.strip().rpartition("@")
    if not name or "." not in domain or any(letter.isspace() for letter in email.strip()):
        raise ValueError("expected an address such as ada@example.com")
    return email.strip()


EmailAddress = Annotated[str, Field(max_length=254), AfterValidator(checked_email)]
Token = Annotated[str, Form()]
TelemetryId = Annotated[str | None, Form(max_length=200)]


class LinkRequest(BaseModel):
    email: EmailAddress
    customer_source: str | None = Field(None, max_length=200)


class EmailChangeRequest(BaseModel):
    email: EmailAddress


def checked_profile(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise ValueError("expected the address of a page such as https://github.com/ada")
    return url.strip()


ProfileUrl = Annotated[str, Field(max_length=500), AfterValidator(checked_profile)]


class WelcomeForm(BaseModel):
    linkedin_url: ProfileUrl | None = None
    github_url: ProfileUrl | None = None


class EntryAnswer(BaseModel):
    kilo_user_id: str
    event_type: str
    session_token: str


class AccountAnswer(BaseModel):
    kilo_user_id: str
    email: str
    balance_microdollars: int
    acquired_microdollars: int
    is_admin: bool


class TokenAnswer(BaseModel):
    token: str


class CheckAnswer(BaseModel):
    checked: bool


@router.post("/auth/email-link", status_code=202, dependencies=[SameSite])
def post_link_request(cloud: Context, wish: LinkRequest) -> None:
    """Send a letter with a link that signs its reader up or in."""
    ask_for_link(cloud, wish.email, wish.customer_source)


@router.post("/auth/email-link/confirm", dependencies=[SameSite])
def post_link(
    cloud: Context, facts: Facts, response: Response, token: Token, telemetry_id: TelemetryId = None
) -> EntryAnswer:
    """Sign the reader of the letter up or in."""
    entry = enter_by_link(cloud, token, facts, telemetry_id)
    set_session_cookie(cloud, response, start_session(cloud, entry.kilo_user_id, Kind.PAGE))
    token = start_session(cloud, entry.kilo_user_id, Kind.API)
    return EntryAnswer(kilo_user_id=entry.kilo_user_id, event_type=entry.event_type, session_token=token)


@router.post("/auth/sign-out", status_code=204)
def post_sign_out(cloud: Context, request: Request, response: Response) -> None:
    """End the session that the request brings, here and in the browser."""
    end_session(cloud, request)
    response.delete_cookie(COOKIE)


@router.post("/account/api-tokens", status_code=201)
def post_api_token(cloud: Context, user: SignedIn) -> TokenAnswer:
    """Give out a bearer token for programs; its use is no sign-in."""
    return TokenAnswer(token=start_session(cloud, user.id, Kind.API))


@router.get("/account")
def get_account(cloud: Context, user: SignedIn) -> AccountAnswer:
    """Show the signed-in account."""
    with cloud.database.reading() as session:
        return account_answer(user, balance_of(session, Owner(user_id=user.id)))


@router.post("/account/device-check")
def post_device_check(
    cloud: Context, user: SignedIn, telemetry_id: Annotated[str, Form(max_length=200)]
) -> CheckAnswer:
    """Look at the newcomer's device; the next sign-in tells what was found."""
    return CheckAnswer(checked=check_device(cloud, user.id, telemetry_id))


@router.post("/account/welcome-form", status_code=204)
def post_welcome_form(cloud: Context, user: SignedIn, form: WelcomeForm) -> None:
    """Take the answers of the welcome form."""
    complete_welcome_form(cloud, user.id, linkedin_url=form.linkedin_url, github_url=form.github_url)


@router.post("/account/email", status_code=202)
def post_email_change(cloud: Context, user: SignedIn, wish: EmailChangeRequest) -> None:
    """Send a confirmation link to the new address."""
    ask_for_email_change(cloud, user.id, wish.email)


@router.post("/account/email/confirm", status_code=204)
def post_email_confirmation(cloud: Context, token: Token) -> None:
    """Make the new address the account's."""
    confirm_email_change(cloud, token)


@router.delete("/account", status_code=204)
def delete_account(cloud: Context, user: SignedIn, response: Response) -> None:
    """Delete the account and everything personal in it."""
    delete_user(cloud, user.id)
    response.delete_cookie(COOKIE)


def account_answer(user: User, balance: Balance) -> AccountAnswer:
    return AccountAnswer(
        kilo_user_id=user.id,
        email=user.email,
        balance_microdollars=balance.microdollars,
        acquired_microdollars=balance.acquired_microdollars,
        is_admin=user.is_admin,
    )
