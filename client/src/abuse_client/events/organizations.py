"""Events about an organization and who belongs to it."""

from typing import Any

from abuse_client.contract import OrgCreated, OrgDeleted, OrgEventData, OrgMemberAdded, OrgMemberRemoved


def org_member_added(
    *,
    kilo_user_id: str,
    organization_id: str,
    role: str | None = None,
    plan: str | None = None,
    has_sso: bool | None = None,
    in_free_trial: bool | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> OrgMemberAdded:
    """A user became a member."""
    data = _data(kilo_user_id, organization_id, role, plan, has_sso, in_free_trial, further)
    return OrgMemberAdded(data=data, occurred_at=occurred_at, event_id=event_id)


def org_member_removed(
    *,
    kilo_user_id: str,
    organization_id: str,
    role: str | None = None,
    plan: str | None = None,
    has_sso: bool | None = None,
    in_free_trial: bool | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> OrgMemberRemoved:
    """A user ceased to be a member; ``role`` is the one he had."""
    data = _data(kilo_user_id, organization_id, role, plan, has_sso, in_free_trial, further)
    return OrgMemberRemoved(data=data, occurred_at=occurred_at, event_id=event_id)


def org_created(
    *,
    kilo_user_id: str,
    organization_id: str,
    role: str | None = None,
    plan: str | None = None,
    has_sso: bool | None = None,
    in_free_trial: bool | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> OrgCreated:
    """An organization came to be; the user is its owner."""
    data = _data(kilo_user_id, organization_id, role, plan, has_sso, in_free_trial, further)
    return OrgCreated(data=data, occurred_at=occurred_at, event_id=event_id)


def org_deleted(
    *,
    kilo_user_id: str,
    organization_id: str,
    role: str | None = None,
    plan: str | None = None,
    has_sso: bool | None = None,
    in_free_trial: bool | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> OrgDeleted:
    """An organization ended, and with it every membership."""
    data = _data(kilo_user_id, organization_id, role, plan, has_sso, in_free_trial, further)
    return OrgDeleted(data=data, occurred_at=occurred_at, event_id=event_id)


def _data(
    kilo_user_id: str,
    organization_id: str,
    role: str | None,
    plan: str | None,
    has_sso: bool | None,
    in_free_trial: bool | None,
    further: dict[str, Any],
) -> OrgEventData:
    return OrgEventData(
        kilo_user_id=kilo_user_id,
        organization_id=organization_id,
        role=role,
        plan=plan,
        has_sso=has_sso,
        in_free_trial=in_free_trial,
        extra=further,
    )
