"""The four events of organizations, all with what holds between the organization and one user."""

from collections.abc import Callable

from abuse_client import events
from abuse_client.contract import CloudEvent
from cloud.organizations.models import Organization
from cloud.organizations.roles import Role
from cloud.transactions import Work


def report(work: Work, build: Callable[..., CloudEvent], organization: Organization, user_id: str, role: str) -> None:
    """Report the event after the commit, with plan, sign-on and trial as they are now."""
    work.report_after_commit(
        build(
            kilo_user_id=user_id,
            organization_id=organization.id,
            role=role,
            plan=organization.plan,
            has_sso=organization.has_sso,
            in_free_trial=organization.is_in_free_trial(work.now),
            occurred_at=work.occurred_at_ms,
            event_id=work.new_event_id(),
        )
    )


def announce(work: Work, organization: Organization, owner_id: str) -> None:
    """Tell that the organization came to be, once, with its first owner: it may have waited for him."""
    if organization.announced_at is None:
        organization.announced_at = work.now
        report(work, events.org_created, organization, owner_id, Role.OWNER)
