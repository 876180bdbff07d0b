"""Being forgotten: personal data is anonymised, memberships end, the row stays for the books."""

from sqlalchemy import delete, or_

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
from cloud.billing.passes import blocks_deletion
from cloud.context import Cloud
from cloud.errors import Conflict, NotFound
from cloud.organizations.service import end_all_memberships
from cloud.transactions import Work


def delete_user(cloud: Cloud, user_id: str) -> None:
    """Delete the account; refused while a pass is active and not cancelling. Twice is once."""
    with cloud.transaction() as work:
        user = work.session.get(User, user_id)
        if user is None:
            raise NotFound("found no such user")
        if user.deleted_at is not None:
            return
        if blocks_deletion(work, user_id):
            raise Conflict("a monthly pass is active; cancel it first")
        end_all_memberships(work, user_id)
        cloud.mailer.forget(work, user.email)
        anonymise(work, user)
        work.report_after_commit(events.user_deleted(kilo_user_id=user_id, occurred_at=work.occurred_at_ms))


def anonymise(work: Work, user: User) -> None:
    """Overwrite what is personal. The address that stands there afterwards is nobody's: no change of address."""
    for table in (CheckedDevice, CohortMember, LinkedProvider, SignInAttempt, UserSession):
        work.session.execute(delete(table).where(table.user_id == user.id))
    work.session.execute(delete(EmailLink).where(or_(EmailLink.user_id == user.id, EmailLink.email == user.email)))
    user.email = user.email_normalised = f"deleted-{user.id}@deleted.invalid"
    user.hosted_domain = user.customer_source = None
    user.signup_ip = user.signup_ja4_digest = user.signup_geo_country = None
    user.linkedin_url = user.github_url = None
    user.has_discord_verified = user.is_admin = False
    user.deleted_at = work.now
