"""The administrators' pages: find somebody, block, unblock, grant, refund; many at once; domains; who did what."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from cloud.accounts.cross_site import SameSite
from cloud.administration import list_routes, routes, settlement_routes
from cloud.administration.audit import list_entries
from cloud.administration.domains import list_domains
from cloud.administration.search import find_user, search_users
from cloud.billing.ledger import balance_of
from cloud.billing.owners import Owner
from cloud.errors import Invalid
from cloud.gateway.overview import list_outcomes
from cloud.pages.page import MICRODOLLARS, AdminPage

router = APIRouter(prefix="/backoffice", include_in_schema=False, dependencies=[SameSite])

SHOWN_USERS = 50
SHOWN_ENTRIES = 100
SHOWN_OUTCOMES = 10


class GrantForm(BaseModel):
    amount_usd: Decimal = Field(gt=0, le=10_000, decimal_places=6)
    note: routes.Reason


class BulkBlockForm(BaseModel):
    kilo_user_ids: str = Field(min_length=1)
    reason: routes.Reason


class BulkUnblockForm(BaseModel):
    blocked_reason: routes.Reason
    since: datetime
    until: datetime
    reason: routes.Reason


@router.get("")
def get_users(page: AdminPage, q: Annotated[str, Query(max_length=254)] = "") -> Response:
    """Find users by a part of their address, or by their id; without a word, the newest."""
    with page.cloud.database.reading() as session:
        return page.show("backoffice/users.html", q=q, users=search_users(session, q, SHOWN_USERS), most=SHOWN_USERS)


@router.get("/users/{user_id}")
def get_user(page: AdminPage, user_id: str) -> Response:
    """Show one user with all that can be done about him."""
    with page.cloud.database.reading() as session:
        return page.show(
            "backoffice/user.html",
            user=find_user(session, user_id),
            balance=balance_of(session, Owner(user_id=user_id)),
            outcomes=list_outcomes(session, user_id, SHOWN_OUTCOMES),
            entries=list_entries(session, user_id=user_id, action=None, actor_email=None, limit=SHOWN_ENTRIES),
        )


@router.post("/users/{user_id}/block")
def post_block(page: AdminPage, user_id: str, wish: Annotated[routes.BlockRequest, Form()]) -> Response:
    """Block the user."""
    done = routes.post_block(page.cloud, page.user, user_id, wish)
    return back_to(page, user_id, "The user is blocked." if done.changed else "Was blocked already; the reason is new.")


@router.post("/users/{user_id}/unblock")
def post_unblock(page: AdminPage, user_id: str, wish: Annotated[routes.BlockRequest, Form()]) -> Response:
    """Lift the user's block."""
    done = routes.post_unblock(page.cloud, page.user, user_id, wish)
    return back_to(page, user_id, "The block is lifted." if done.changed else "The user was not blocked.")


@router.post("/users/{user_id}/grant")
def post_grant(page: AdminPage, user_id: str, wish: Annotated[GrantForm, Form()]) -> Response:
    """Give credits that nobody pays for."""
    grant = routes.GrantRequest(microdollars=int(wish.amount_usd * MICRODOLLARS), note=wish.note)
    routes.post_grant(page.cloud, page.user, user_id, grant)
    return back_to(page, user_id, "The credits are there.")


@router.post("/users/{user_id}/refund")
def post_refund(page: AdminPage, user_id: str, wish: Annotated[routes.BlockRequest, Form()]) -> Response:
    """Block the user, end what he pays for, pay back what he paid."""
    done = settlement_routes.post_cancel_and_refund(page.cloud, page.user, user_id, wish)
    ended = f"{len(done.cancelled_subscriptions)} subscriptions ended, {len(done.refunds)} payments paid back."
    return back_to(page, user_id, f"The user is blocked; {ended}")


@router.get("/bulk")
def get_bulk(page: AdminPage) -> Response:
    """Offer to block or unblock many."""
    return page.show("backoffice/bulk.html")


@router.post("/bulk/block")
def post_bulk_block(page: AdminPage, form: Annotated[BulkBlockForm, Form()]) -> Response:
    """Block everybody on the list."""
    ids = form.kilo_user_ids.replace(",", " ").split()
    if not 0 < len(ids) <= routes.MAX_BULK_IDS:
        raise Invalid(f"found {len(ids)} ids, expected 1 to {routes.MAX_BULK_IDS:,}")
    wish = routes.BulkBlockRequest(kilo_user_ids=ids, reason=form.reason)
    done = routes.post_bulk_block(page.cloud, page.user, wish)
    told = f"{len(done.blocked)} blocked, {len(done.already_blocked)} were blocked already, {len(done.unknown)} unknown"
    return page.go("/backoffice/bulk", f"{told}.")


@router.post("/bulk/unblock")
def post_bulk_unblock(page: AdminPage, form: Annotated[BulkUnblockForm, Form()]) -> Response:
    """Lift the blocks of one reason that began in a time, which the form gives in UTC."""
    wish = list_routes.BulkUnblockRequest(
        blocked_reason=form.blocked_reason,
        since=form.since.replace(tzinfo=UTC),
        until=form.until.replace(tzinfo=UTC),
        reason=form.reason,
    )
    done = list_routes.post_bulk_unblock(page.cloud, page.user, wish)
    return page.go("/backoffice/bulk", f"{len(done.kilo_user_ids)} unblocked.")


@router.get("/domains")
def get_domains(page: AdminPage) -> Response:
    """List the blacklisted domains."""
    with page.cloud.database.reading() as session:
        return page.show("backoffice/domains.html", domains=list_domains(session))


@router.post("/domains")
def post_domain(page: AdminPage, wish: Annotated[list_routes.DomainRequest, Form()]) -> Response:
    """Blacklist a domain and block who comes from it."""
    done = list_routes.post_domain(page.cloud, page.user, wish)
    return page.go("/backoffice/domains", f"The domain is blacklisted; {len(done.kilo_user_ids)} users are blocked.")


@router.post("/domains/{domain}/clear")
def post_clearing(page: AdminPage, domain: str, reason: Annotated[routes.Reason, Form()]) -> Response:
    """Take a domain off the blacklist."""
    list_routes.delete_domain(page.cloud, page.user, domain, reason)
    return page.go("/backoffice/domains", "The domain is off the blacklist. Who was blocked stays blocked.")


@router.get("/log")
def get_log(page: AdminPage) -> Response:
    """Show what administrators and rules did, the newest first."""
    with page.cloud.database.reading() as session:
        entries = list_entries(session, user_id=None, action=None, actor_email=None, limit=SHOWN_ENTRIES)
    return page.show("backoffice/log.html", entries=entries, most=SHOWN_ENTRIES)


def back_to(page: AdminPage, user_id: str, notice: str) -> Response:
    return page.go(f"/backoffice/users/{user_id}", notice)
