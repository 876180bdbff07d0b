"""Where Django and allauth announce who signs in and up."""

from typing import Any

from django.apps import apps
from django.contrib.auth.signals import user_logged_in

from abuse_client.integrations.django.views import report_sign_in, report_sign_up


def connect() -> None:
    """Listen to `django.contrib.auth`, and to allauth if it is installed."""
    user_logged_in.connect(_signed_in, dispatch_uid="abuse_client.signed_in")
    if apps.is_installed("allauth.account"):
        from allauth.account.signals import user_signed_up

        user_signed_up.connect(_signed_up, dispatch_uid="abuse_client.signed_up")


def _signed_in(*, request: Any, user: Any, **_: Any) -> None:
    report_sign_in(request, user)


def _signed_up(*, request: Any, user: Any, sociallogin: Any = None, **_: Any) -> None:
    provider = sociallogin.account.provider if sociallogin is not None else None
    report_sign_up(request, user, auth_method=provider)
