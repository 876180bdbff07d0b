"""Being forgotten: personal data is anonymised, memberships end, the row stays for the books."""

from sqlalchemy import delete, or_, update

from abuse_client import events
from cloud.accounts.models import (
    CheckedDevice,
    CohortMember,
    EmailLink,
    LinkedProvider,
    SignInAttempt,
    User,
    UserSession,
)
from cloud.billing.models import AutoTopUp
from cloud.billing.passes import blocks_deletion
from cloud.context import Cloud
from cloud.database import Base
from cloud.errors import Conflict, NotFound
from cloud.gateway.models import RefusedRequest
from cloud.history.service import forget_history
from cloud.organizations.models import Invitation
from cloud.organizations.service import end_all_memberships
from cloud.transactions import Work


def delete_user(cloud: Cloud, user_id: str) -> None:
    """Delete the account; refused while a pass is active and not cancelling. Twice is once."""
    with cloud.transaction() as work:
        user = work.session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None:
            raise NotFound("found no such user")
        if user.deleted_at is not None:
            return
        if blocks_deletion(work, user_id):
            raise Conflict("a monthly pass is active; cancel it first")
        end_all_memberships(work, user_id)
        cloud.mailer.forget(work, user.id, user.email)
        forget_rows(work, user)
        forget_history(work.session, user.id)
        anonymise(work, user)
        work.report_after_commit(
            events.user_deleted(kilo_user_id=user_id, occurred_at=work.occurred_at_ms, event_id=work.new_event_id())
        )


def forget_rows(work: Work, user: User) -> None:
    """Drop what belongs to the person alone; sessions and links are dead with it, and no card is charged any more."""
    for table in (CheckedDevice, CohortMember, LinkedProvider, SignInAttempt, UserSession, RefusedRequest):
        work.session.execute(delete(table).where(table.user_id == user.id))
    for addressed in (EmailLink, Invitation):
        is_own = or_(addressed.user_id == user.id, addressed.email_normalised == user.email_normalised)
        work.session.execute(delete(addressed).where(is_own))
    own = update(AutoTopUp).where(AutoTopUp.user_id == user.id, AutoTopUp.organization_id.is_(None))
    work.session.execute(own.values(is_on=False))


def anonymise(work: Work, user: User) -> None:
    """Overwrite what is personal. The address that stands there afterwards is nobody's: no change of address."""
    anonymous = f"deleted-{user.id}@deleted.invalid"
    # What an administrator did stays on record without his address, in whatever table.
    for table in Base.metadata.tables.values():
        if "actor_email" in table.c:
            own = update(table).where(table.c.actor_email == user.email)
            work.session.execute(own.values(actor_email=anonymous))
    user.email = user.email_normalised = anonymous
    user.hosted_domain = user.customer_source = None
    user.signup_ip = user.signup_ja4_digest = user.signup_geo_country = None
    user.linkedin_url = user.github_url = None
    user.has_discord_verified = user.is_admin = False
    user.deleted_at = work.now
