"""Pages of the administrators about many: bulk unblocks, the domain blacklist, who did what."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from cloud.accounts.sessions import Admin
from cloud.administration.audit import list_entries
from cloud.administration.bulk import bulk_unblock
from cloud.administration.domains import blacklist_domain, clear_domain, list_domains
from cloud.administration.routes import Reason
from cloud.context import Context

router = APIRouter(prefix="/admin", tags=["administration"])


class BulkUnblockRequest(BaseModel):
    blocked_reason: Reason
    since: AwareDatetime
    until: AwareDatetime
    reason: Reason


class UsersAnswer(BaseModel):
    kilo_user_ids: list[str]


class DomainRequest(BaseModel):
    domain: str = Field(min_length=3, max_length=253)
    reason: Reason


class DomainAnswer(BaseModel):
    domain: str
    reason: str
    actor_email: str
    added_at: datetime


class AuditAnswer(BaseModel):
    action: str
    kilo_user_id: str | None
    organization_id: str | None
    subject: str | None
    reason: str
    actor_email: str | None
    done_at: datetime


@router.post("/users/bulk-unblock")
def post_bulk_unblock(cloud: Context, admin: Admin, wish: BulkUnblockRequest) -> UsersAnswer:
    """Lift the blocks of one reason that began in a time."""
    unblocked = bulk_unblock(
        cloud,
        blocked_reason=wish.blocked_reason,
        since=wish.since,
        until=wish.until,
        reason=wish.reason,
        actor_email=admin.email,
    )
    return UsersAnswer(kilo_user_ids=unblocked)


@router.post("/domains")
def post_domain(cloud: Context, admin: Admin, wish: DomainRequest) -> UsersAnswer:
    """Blacklist a domain and block who comes from it."""
    return UsersAnswer(kilo_user_ids=blacklist_domain(cloud, wish.domain, wish.reason, admin.email))


@router.get("/domains")
def get_domains(cloud: Context, admin: Admin) -> list[DomainAnswer]:
    """List the blacklisted domains."""
    with cloud.database.reading() as session:
        return [DomainAnswer.model_validate(row, from_attributes=True) for row in list_domains(session)]


@router.delete("/domains/{domain}", status_code=204)
def delete_domain(cloud: Context, admin: Admin, domain: str, reason: Annotated[str, Query(min_length=1)]) -> None:
    """Take a domain off the blacklist."""
    clear_domain(cloud, domain, reason, admin.email)


@router.get("/audit")
def get_audit(
    cloud: Context,
    admin: Admin,
    user_id: str | None = None,
    action: str | None = None,
    actor_email: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[AuditAnswer]:
    """List who did what, the newest first."""
    with cloud.database.reading() as session:
        entries = list_entries(session, user_id=user_id, action=action, actor_email=actor_email, limit=limit)
    return [
        AuditAnswer(
            action=entry.action,
            kilo_user_id=entry.user_id,
            organization_id=entry.organization_id,
            subject=entry.subject,
            reason=entry.reason,
            actor_email=entry.actor_email,
            done_at=entry.done_at,
        )
        for entry in entries
    ]
