"""Going to a provider and coming back."""

from secrets import token_urlsafe
from typing import Annotated

from fastapi import APIRouter, Cookie, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from pydantic import AfterValidator, BaseModel

from cloud.accounts.attempts import Wish, checked_return
from cloud.accounts.linking import list_linked, unlink_provider
from cloud.accounts.providers import SSO
from cloud.accounts.sessions import Kind, SignedIn, set_session_cookie, start_session
from cloud.accounts.visits import begin_sign_on, begin_visit, end_visit
from cloud.context import Cloud, Context, Facts

router = APIRouter(tags=["accounts"])

BROWSER_COOKIE = "cloud_visit"

ReturnTo = Annotated[str, Query(max_length=500), AfterValidator(checked_return)]
Browser = Annotated[str | None, Cookie(alias=BROWSER_COOKIE)]
ShortText = Annotated[str | None, Query(max_length=200)]


class DeviceCheckAnswer(BaseModel):
    """What a page needs to call `GetTelemetryID({publicToken, submitURL})` of the check's script."""

    script_url: str
    public_token: str
    submit_url: str | None


class OptionsAnswer(BaseModel):
    providers: list[str]
    has_sign_on: bool
    device_check: DeviceCheckAnswer | None


@router.get("/auth/options")
def get_options(cloud: Context) -> OptionsAnswer:
    """Name what a sign-in page can offer, and where its visitor's browser shows itself to the device check."""
    settings, names = cloud.settings, cloud.providers.names()
    return OptionsAnswer(
        providers=[name for name in names if cloud.providers.find(name).signs_in and name != SSO],
        has_sign_on=SSO in names,
        device_check=None
        if settings.device_check_url is None
        else DeviceCheckAnswer(
            script_url=settings.device_check_script_url,
            public_token=settings.device_check_public_token,
            submit_url=settings.device_check_submit_url,
        ),
    )


@router.get("/auth/with/{provider}")
async def get_departure(
    cloud: Context,
    provider: str,
    browser: Browser = None,
    return_to: ReturnTo = "/",
    customer_source: ShortText = None,
    telemetry_id: ShortText = None,
) -> Response:
    """Send the browser to the provider to sign in."""
    wish = Wish(return_to=return_to, customer_source=customer_source, telemetry_id=telemetry_id)
    browser = browser or token_urlsafe(32)
    return send_away(cloud, await begin_visit(cloud, provider, browser, wish), browser)


@router.get("/auth/sign-on")
async def get_sign_on(
    cloud: Context,
    email: Annotated[str, Query(max_length=254)],
    browser: Browser = None,
    return_to: ReturnTo = "/",
    customer_source: ShortText = None,
    telemetry_id: ShortText = None,
) -> Response:
    """Send the browser to the enterprise's sign-on of the address."""
    wish = Wish(return_to=return_to, customer_source=customer_source, telemetry_id=telemetry_id)
    browser = browser or token_urlsafe(32)
    return send_away(cloud, await begin_sign_on(cloud, browser, email, wish), browser)


@router.post("/account/providers/{provider}")
async def post_link(
    cloud: Context, user: SignedIn, provider: str, browser: Browser = None, return_to: ReturnTo = "/"
) -> Response:
    """Send the browser to the provider to link it to the account."""
    browser = browser or token_urlsafe(32)
    url = await begin_visit(cloud, provider, browser, Wish(return_to=return_to, user_id=user.id))
    return send_away(cloud, url, browser)


@router.get("/auth/with/{provider}/callback")
async def get_return(
    cloud: Context, facts: Facts, provider: str, state: str = "", code: str | None = None, browser: Browser = None
) -> Response:
    """Take the browser back and sign its owner in."""
    back = await end_visit(cloud, provider, state=state, code=code, browser=browser, facts=facts)
    answer = RedirectResponse(back.return_to, status_code=303)
    if back.entry is not None:
        token = await run_in_threadpool(start_session, cloud, back.entry.kilo_user_id, Kind.PAGE)
        set_session_cookie(cloud, answer, token)
    return answer


@router.get("/account/providers")
def get_linked(cloud: Context, user: SignedIn) -> dict[str, list[str]]:
    """List the account's ways to sign in."""
    return {"providers": list_linked(cloud, user.id)}


@router.delete("/account/providers/{provider}", status_code=204)
def delete_linked(cloud: Context, user: SignedIn, provider: str) -> None:
    """Take a way to sign in away; the last one stays."""
    unlink_provider(cloud, user.id, provider)


def send_away(cloud: Cloud, url: str, browser: str) -> Response:
    answer = RedirectResponse(url, status_code=303)
    answer.set_cookie(
        BROWSER_COOKIE,
        browser,
        max_age=cloud.settings.sign_in_attempt_seconds,
        httponly=True,
        samesite="lax",
        secure=cloud.settings.public_url.startswith("https:"),
    )
    return answer
