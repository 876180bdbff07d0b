"""All pages and what they are made of, put into the application."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from cloud.errors import CloudError
from cloud.pages import account, backoffice, billing, entry, organizations
from cloud.pages.refusals import answer_http_error, answer_invalid, answer_refusal

ROUTERS = tuple(room.router for room in (entry, account, billing, organizations, backoffice))


def add_pages(app: FastAPI) -> None:
    """Serve the pages, and tell people in them what programs are told in JSON."""
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    app.add_exception_handler(CloudError, answer_refusal)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    app.add_exception_handler(HTTPException, answer_http_error)
