"""Home, and the ways in: by a letter, by a provider, by the enterprise's sign-on."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Form
from fastapi.responses import Response
from pydantic import BaseModel

from abuse_client.contract import AuthEventType
from cloud.accounts.cross_site import SameSite
from cloud.accounts.profile import complete_welcome_form
from cloud.accounts.routes import EmailAddress, TelemetryId, Token, WelcomeForm
from cloud.accounts.service import ask_for_link, enter_by_link
from cloud.accounts.sessions import COOKIE, Kind, end_session, set_session_cookie, start_session
from cloud.accounts.visit_routes import ReturnTo, get_options
from cloud.billing.purchases import SEAT_CENTS, TIERS
from cloud.context import Facts
from cloud.errors import NotFound
from cloud.gateway.catalogue import CATALOGUE
from cloud.mail.service import newest_letter
from cloud.organizations.founding import TRIAL
from cloud.pages.page import FIRST_PAGE, AnyPage, OwnPage, known_page

router = APIRouter(include_in_schema=False, dependencies=[SameSite])

RETURN_COOKIE = "cloud_return"


class SignIn(BaseModel):
    email: EmailAddress
    return_to: str = FIRST_PAGE


@router.get("/")
def get_home(page: AnyPage) -> Response:
    """Say what is sold, and for how much."""
    return page.show("home.html", models=CATALOGUE.values(), tiers=TIERS, seat_cents=SEAT_CENTS, trial_days=TRIAL.days)


@router.get("/sign-in")
def get_sign_in(page: AnyPage, return_to: ReturnTo = FIRST_PAGE) -> Response:
    """Offer the ways in."""
    options = get_options(page.cloud)
    return page.show("sign-in.html", options=options, return_to=return_to, device_check=options.device_check)


@router.post("/sign-in")
def post_sign_in(page: AnyPage, wish: Annotated[SignIn, Form()]) -> Response:
    """Send the letter; the browser remembers where its reader wanted to go."""
    ask_for_link(page.cloud, wish.email, customer_source=None)
    answer = page.show_letter_sent(wish.email)
    answer.set_cookie(
        RETURN_COOKIE,
        wish.return_to,
        max_age=page.cloud.settings.email_link_seconds,
        httponly=True,
        samesite="lax",
        secure=page.cloud.settings.public_url.startswith("https:"),
    )
    return answer


@router.get("/letters")
def get_letter(page: AnyPage, recipient: str) -> Response:
    """Show the newest letter to the recipient on a laptop, where no mail is carried."""
    if not page.cloud.settings.outbox_is_open:
        raise NotFound
    with page.cloud.database.reading() as session:
        letter = newest_letter(session, recipient)
    if letter is None:
        raise NotFound("found no letter to this recipient")
    return page.show("letter.html", letter=letter)


@router.get("/auth/email-link")
def get_link(page: AnyPage, token: str) -> Response:
    """Ask the letter's reader to confirm; programs that only look at links sign nobody in."""
    return page.show(
        "confirm.html",
        title="Sign in",
        button="Sign in",
        action="/sign-in/confirm",
        token=token,
        device_check=get_options(page.cloud).device_check,
    )


@router.post("/sign-in/confirm")
def post_link(
    page: AnyPage,
    facts: Facts,
    token: Token,
    telemetry_id: TelemetryId = None,
    return_to: Annotated[str | None, Cookie(alias=RETURN_COOKIE)] = None,
) -> Response:
    """Sign the letter's reader up or in."""
    entry = enter_by_link(page.cloud, token, facts, telemetry_id)
    is_new = entry.event_type is AuthEventType.SIGNUP
    answer = page.go("/welcome" if is_new and return_to in (None, FIRST_PAGE) else known_page(return_to))
    set_session_cookie(page.cloud, answer, start_session(page.cloud, entry.kilo_user_id, Kind.PAGE))
    answer.delete_cookie(RETURN_COOKIE)
    return answer


@router.post("/sign-out")
def post_sign_out(page: AnyPage) -> Response:
    """End this browser's session."""
    end_session(page.cloud, page.request)
    answer = page.go("/", "You are signed out.")
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/welcome")
def get_welcome(page: OwnPage) -> Response:
    """Ask a newcomer who he is elsewhere."""
    return page.show("welcome.html")


@router.post("/welcome")
def post_welcome(page: OwnPage, form: Annotated[WelcomeForm, Form()]) -> Response:
    """Keep what the newcomer says."""
    complete_welcome_form(page.cloud, page.user.id, linkedin_url=form.linkedin_url, github_url=form.github_url)
    return page.go(FIRST_PAGE, "Thank you, and welcome.")
