"""Events about an account."""

from typing import Any

from abuse_client.contract import (
    UserBlocked,
    UserDeleted,
    UserDeletedData,
    UserEmailChanged,
    UserEmailChangedData,
    UserEventData,
    UserUnblocked,
)


def user_blocked(
    *,
    kilo_user_id: str,
    reason: str | None = None,
    actor_email: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> UserBlocked:
    """The cloud blocked a user: by hand, in bulk, or by itself; the reason tells which."""
    data = UserEventData(kilo_user_id=kilo_user_id, reason=reason, actor_email=actor_email, extra=further)
    return UserBlocked(data=data, occurred_at=occurred_at, event_id=event_id)


def user_unblocked(
    *,
    kilo_user_id: str,
    reason: str | None = None,
    actor_email: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> UserUnblocked:
    """The cloud lifted its block."""
    data = UserEventData(kilo_user_id=kilo_user_id, reason=reason, actor_email=actor_email, extra=further)
    return UserUnblocked(data=data, occurred_at=occurred_at, event_id=event_id)


def user_deleted(
    *, kilo_user_id: str, occurred_at: int | None = None, event_id: str | None = None, **further: Any
) -> UserDeleted:
    """The account was deleted."""
    data = UserDeletedData(kilo_user_id=kilo_user_id, extra=further)
    return UserDeleted(data=data, occurred_at=occurred_at, event_id=event_id)


def user_email_changed(
    *,
    kilo_user_id: str,
    email: str,
    previous_email: str | None = None,
    occurred_at: int | None = None,
    event_id: str | None = None,
    **further: Any,
) -> UserEmailChanged:
    """The account's address is ``email`` now."""
    data = UserEmailChangedData(kilo_user_id=kilo_user_id, email=email, previous_email=previous_email, extra=further)
    return UserEmailChanged(data=data, occurred_at=occurred_at, event_id=event_id)
