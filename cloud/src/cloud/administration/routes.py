"""Pages of the administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from cloud.accounts.deletion import delete_user
from cloud.accounts.email_change import change_email
from cloud.accounts.profile import declare_bot, existing_user, join_cohort
from cloud.accounts.routes import EmailAddress
from cloud.accounts.sessions import Admin
from cloud.administration.audit import note
from cloud.administration.bulk import bulk_block
from cloud.administration.service import block_user, unblock_user
from cloud.billing.owners import Owner
from cloud.billing.service import grant_credits
from cloud.context import Context
from cloud.gateway.routes import gateway_of
from cloud.gateway.service import Gateway

router = APIRouter(prefix="/admin", tags=["administration"])

Reason = Annotated[str, Field(min_length=1, max_length=1000)]
MAX_BULK_IDS = 10_000


class BlockRequest(BaseModel):
    reason: Reason


class BulkBlockRequest(BaseModel):
    kilo_user_ids: list[str] = Field(min_length=1, max_length=MAX_BULK_IDS)
    reason: Reason


class BulkBlockAnswer(BaseModel):
    blocked: list[str]
    already_blocked: list[str]
    unknown: list[str]


class ChangeAnswer(BaseModel):
    changed: bool


class GrantRequest(BaseModel):
    microdollars: int = Field(gt=0, le=10_000_000_000)
    note: Reason


class CohortRequest(BaseModel):
    cohort: str = Field(min_length=1, max_length=100)


class BotRequest(BaseModel):
    is_bot: bool


class EmailCorrection(BaseModel):
    email: EmailAddress


@router.post("/users/{user_id}/block")
def post_block(cloud: Context, admin: Admin, user_id: str, wish: BlockRequest) -> ChangeAnswer:
    """Block one user."""
    with cloud.transaction() as work:
        changed = block_user(work, user_id, wish.reason, admin.email)
    return ChangeAnswer(changed=changed)


@router.post("/users/{user_id}/unblock")
def post_unblock(cloud: Context, admin: Admin, user_id: str, wish: BlockRequest) -> ChangeAnswer:
    """Lift one user's block."""
    with cloud.transaction() as work:
        changed = unblock_user(work, user_id, wish.reason, admin.email)
    return ChangeAnswer(changed=changed)


@router.post("/users/bulk-block")
def post_bulk_block(cloud: Context, admin: Admin, wish: BulkBlockRequest) -> BulkBlockAnswer:
    """Block up to 10,000 users."""
    outcome = bulk_block(cloud, wish.kilo_user_ids, wish.reason, admin.email)
    return BulkBlockAnswer(blocked=outcome.blocked, already_blocked=outcome.already_blocked, unknown=outcome.unknown)


@router.post("/users/{user_id}/email")
def post_email_correction(cloud: Context, admin: Admin, user_id: str, wish: EmailCorrection) -> ChangeAnswer:
    """Correct a user's address."""
    with cloud.transaction() as work:
        changed = change_email(work, existing_user(work, user_id), wish.email)
        if changed:
            note(work, "email_corrected", actor_email=admin.email, reason="on request", user_id=user_id)
    return ChangeAnswer(changed=changed)


@router.delete("/users/{user_id}", status_code=204)
def delete_account(cloud: Context, admin: Admin, user_id: str) -> None:
    """Delete an account on its owner's request."""
    delete_user(cloud, user_id)
    with cloud.transaction() as work:
        note(work, "deleted", actor_email=admin.email, reason="on request", user_id=user_id)


@router.post("/users/{user_id}/credits")
def post_grant(cloud: Context, admin: Admin, user_id: str, wish: GrantRequest) -> ChangeAnswer:
    """Give a user credits that nobody pays for."""
    with cloud.transaction() as work:
        existing_user(work, user_id)
        grant_credits(work, Owner(user_id=user_id), wish.microdollars, wish.note)
        note(work, "granted", actor_email=admin.email, reason=wish.note, user_id=user_id)
    return ChangeAnswer(changed=True)


@router.post("/users/{user_id}/cohorts", status_code=204)
def post_cohort(cloud: Context, admin: Admin, user_id: str, wish: CohortRequest) -> None:
    """Put a user into a cohort."""
    join_cohort(cloud, user_id, wish.cohort)


@router.post("/users/{user_id}/bot", status_code=204)
def post_bot(cloud: Context, admin: Admin, user_id: str, wish: BotRequest) -> None:
    """Note whether a program uses the account."""
    declare_bot(cloud, user_id, is_bot=wish.is_bot)


@router.get("/reports")
async def get_reports(
    cloud: Context,
    admin: Admin,
    gateway: Annotated[Gateway, Depends(gateway_of)],
    wait_seconds: Annotated[float, Query(ge=0, le=30)] = 0.0,
) -> dict[str, int]:
    """Count what was reported to the abuse service since the start, by type, after waiting for it to leave."""
    if wait_seconds:
        await run_in_threadpool(cloud.reporting.flush, wait_seconds)
        await gateway.flush(wait_seconds)
    return cloud.reporting.counts.read()
