"""What a person sees where a program would get an error in JSON."""

from urllib.parse import urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from cloud.accounts.cross_site import origin_of
from cloud.context import cloud_of
from cloud.errors import CloudError, CrossSite, Forbidden, NotSignedIn, error_response
from cloud.pages.page import Page, any_page, known_page, path_of

TITLES = {
    400: "That did not work",
    402: "The payment did not go through",
    403: "You may not do this",
    404: "There is no such page",
    409: "That did not work",
    422: "Something is missing",
    502: "Somebody else does not answer",
    503: "That did not work for now",
}


def answer_refusal(request: Request, error: Exception) -> Response:
    """Answer a refusal of the business functions."""
    if not isinstance(error, CloudError):
        raise error
    if isinstance(error, NotSignedIn) and wants_page(request):
        return page_for(request).go(sign_in_path(request))
    return tell(request, error.status, error.code, str(error), goes_back=not isinstance(error, Forbidden))


def answer_invalid(request: Request, error: Exception) -> Response:
    """Name the place and the fault, without the value: it may be personal."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    # A person sees the form and not the request, so that the field alone names the place.
    first = -1 if wants_page(request) else 0
    told = "; ".join(f"{'.'.join(map(str, fault['loc'][first:]))}: {fault['msg']}" for fault in faults)
    return tell(request, 422, "invalid_request", told)


def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer an address that is none, or a method that it does not take."""
    if not isinstance(error, HTTPException):
        raise error
    code = "not_found" if error.status_code == 404 else "invalid_request"
    return tell(request, error.status_code, code, error.detail, goes_back=False)


def tell(request: Request, status: int, code: str, reason: str, *, goes_back: bool = True) -> Response:
    """Tell a program in JSON and a person on a page: where the form is, if the request came from one of ours."""
    if not wants_page(request):
        return error_response(status, code, reason)
    page = page_for(request)
    came_from = request.headers.get("referer", "")
    is_own = origin_of(came_from) == origin_of(page.cloud.settings.public_url)
    if goes_back and request.method == "POST" and is_own:
        return page.go(known_page(path_of(came_from)), reason, is_alert=True)
    return page.show("refusal.html", status, title=TITLES.get(status, "That did not work"), reason=reason)


def wants_page(request: Request) -> bool:
    """Say whether a person's browser asks for a page: programs and scripts do not name HTML."""
    return "text/html" in request.headers.get("accept", "")


def page_for(request: Request) -> Page:
    cloud = cloud_of(request)
    try:
        return any_page(request, cloud)
    except (CrossSite, SQLAlchemyError):
        return Page(request=request, cloud=cloud, visitor=None)


def sign_in_path(request: Request) -> str:
    """Return the way to sign in and, from a page that was only looked at, back to it."""
    if request.method != "GET":
        return "/sign-in"
    return f"/sign-in?{urlencode({'return_to': path_of(str(request.url))})}"
