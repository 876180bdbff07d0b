"""The application: routes, errors, and the life of its parts."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy.exc import DataError, SQLAlchemyError

from cloud.accounts.routes import router as accounts
from cloud.accounts.visit_routes import router as visits
from cloud.administration.list_routes import router as administration_lists
from cloud.administration.routes import router as administration
from cloud.administration.settlement_routes import router as settlement
from cloud.billing.routes import router as billing
from cloud.context import Cloud
from cloud.database import migrate
from cloud.gateway.routes import endpoints as gateway_endpoints
from cloud.gateway.routes import router as gateway
from cloud.mail.routes import router as mail
from cloud.organizations.admin_routes import router as organizations_administration
from cloud.organizations.routes import router as organizations
from cloud.pages.refusals import tell
from cloud.pages.site import add_pages
from cloud.stripe_webhooks.routes import router as stripe_webhooks
from cloud.wiring import build_gateway

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
ROUTERS = (
    accounts,
    visits,
    administration,
    organizations_administration,
    organizations,
    billing,
    stripe_webhooks,
    gateway,
)


def create_app(cloud: Cloud) -> FastAPI:
    """Return the application around the cloud's parts; it brings the tables up to date when it starts."""
    app = FastAPI(title="cloud", lifespan=live)
    app.state.cloud = cloud
    # First, since of a cloud's requests nearly all are these.
    app.router.routes.extend(gateway_endpoints)
    for router in (
        accounts,
        visits,
        administration,
        organizations_administration,
        administration_lists,
        settlement,
        organizations,
        billing,
        stripe_webhooks,
        gateway,
    ):
        app.include_router(router)
    if cloud.settings.outbox_is_open:
        app.include_router(mail)
    app.add_api_route("/healthz", answer_health, methods=["GET"])
    add_pages(app)
    app.add_exception_handler(SQLAlchemyError, answer_unavailable)
    app.add_exception_handler(DataError, answer_unstorable)
    app.add_exception_handler(UnicodeEncodeError, answer_unstorable)
    return app


@asynccontextmanager
async def live(app: FastAPI) -> AsyncIterator[None]:
    """Migrate, serve, and let the last reports leave."""
    cloud: Cloud = app.state.cloud
    await run_in_threadpool(migrate, cloud.settings.database_url)
    app.state.gateway = build_gateway(cloud)
    yield
    await app.state.gateway.close()
    await run_in_threadpool(cloud.background.close)
    await run_in_threadpool(cloud.reporting.flush, FLUSH_SECONDS)
    await run_in_threadpool(cloud.reporting.close)
    await run_in_threadpool(cloud.device_check.close)
    cloud.database.close()


async def answer_health() -> dict[str, str]:
    """Say that the application serves."""
    return {"status": "ok"}


def answer_unstorable(request: Request, _: Exception) -> Response:
    """Refuse a text with a character that no database of ours keeps: a NUL, or half a surrogate pair."""
    return tell(request, 422, "invalid_request", "found a text with a NUL or half a surrogate pair")


def answer_unavailable(request: Request, error: Exception) -> Response:
    """Ask to try again when the database fails; the statement stays out of the log, its values may be personal."""
    cause = getattr(error, "orig", None) or error
    logger.error("%s %s: the database failed: %s", request.method, request.url.path, type(cause).__name__)
    return tell(request, 503, "unavailable", "the change could not be stored; try again")
