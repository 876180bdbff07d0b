"""What users and administrators say about an account."""

from cloud.accounts.models import CohortMember, User
from cloud.context import Cloud
from cloud.database import LOCK
from cloud.errors import NotFound
from cloud.transactions import Work


def complete_welcome_form(cloud: Cloud, user_id: str, *, linkedin_url: str | None, github_url: str | None) -> None:
    """Keep the answers; the next sign-in tells them to the abuse service."""
    with cloud.transaction() as work:
        user = existing_user(work, user_id)
        user.completed_welcome_form = True
        user.linkedin_url = linkedin_url or user.linkedin_url
        user.github_url = github_url or user.github_url


def join_cohort(cloud: Cloud, user_id: str, cohort: str) -> None:
    """Put the user into the cohort; being in it already is fine."""
    with cloud.transaction() as work:
        existing_user(work, user_id)
        work.session.merge(CohortMember(user_id=user_id, cohort=cohort))


def declare_bot(cloud: Cloud, user_id: str, *, is_bot: bool) -> None:
    """Note that a program uses the account, openly; the next sign-in tells it."""
    with cloud.transaction() as work:
        locked_user(work, user_id).is_bot = is_bot


def existing_user(work: Work, user_id: str) -> User:
    """Return the user, or raise `NotFound` when there is none or he was deleted."""
    user = work.session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound("found no such user")
    return user


def locked_user(work: Work, user_id: str) -> User:
    """Return the user as `existing_user` does, and let nobody else change him before this transaction ends."""
    user = work.session.get(User, user_id, with_for_update=LOCK, populate_existing=True)
    if user is None or user.deleted_at is not None:
        raise NotFound("found no such user")
    return user
