"""The setting ``ABUSE_CLIENT``, a dictionary; every entry is optional.

| entry | meaning |
| --- | --- |
| ``URL``, ``CLIENT_ID``, ``CLIENT_SECRET`` | where the service is; otherwise the environment says it |
| ``STRICT`` | whether a wrong report raises; use ``DEBUG`` |
| ``EDGE``, ``TRUSTED_PEERS`` | the outermost proxy's kind, and the networks whose headers are believed |
| ``GUARD`` | fields of `abuse_client.gateway.GuardSettings`, by name |
| ``USER_ID`` | a function, or its dotted path, from a user to its id; otherwise the primary key |
| ``AUTH_FIELDS`` | a function, or its dotted path, from request and user to further fields of a sign-in |
| ``CLIENT`` | a client in place of one that is made, for tests |
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from abuse_client.client import AbuseClient
from abuse_client.gateway.facts import Trust, trust
from abuse_client.gateway.guard import Asks, Guard
from abuse_client.gateway.settings import GuardSettings
from abuse_client.integrations.reports import Reports

SETTING = "ABUSE_CLIENT"
_ENTRIES = frozenset(
    {
        "URL",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "STRICT",
        "EDGE",
        "TRUSTED_PEERS",
        "GUARD",
        "USER_ID",
        "AUTH_FIELDS",
        "CLIENT",
    }
)


class Client(Asks, Reports, Protocol):
    """What is needed of `abuse_client.AbuseClient`."""


class DjangoAbuse:
    """The client, the guard and whose headers are believed, as the settings say."""

    def __init__(self, entries: dict[str, Any]) -> None:
        unknown = sorted(set(entries) - _ENTRIES)
        if unknown:
            raise ImproperlyConfigured(f"{SETTING}: found {', '.join(unknown)}, expected {', '.join(sorted(_ENTRIES))}")
        try:
            self.trust: Trust = trust(entries.get("EDGE", "none"), entries.get("TRUSTED_PEERS", ()))
            guard_settings = msgspec.convert(entries.get("GUARD", {}), _StrictGuardSettings)
        except (ValueError, msgspec.ValidationError) as error:
            raise ImproperlyConfigured(f"{SETTING}: {error}") from None
        self.client: Client = entries.get("CLIENT") or AbuseClient(
            entries.get("URL"),
            entries.get("CLIENT_ID"),
            entries.get("CLIENT_SECRET"),
            strict=bool(entries.get("STRICT", False)),
        )
        self.guard: Guard = Guard(self.client, guard_settings)
        self._user_id = _function(entries.get("USER_ID"))
        self._auth_fields = _function(entries.get("AUTH_FIELDS"))

    def user_id(self, user: Any) -> str | None:
        """The id under which the service knows a user; ``None`` for an anonymous one."""
        if user is None or not getattr(user, "is_authenticated", False):
            return None
        return str(self._user_id(user) if self._user_id else user.pk)

    def auth_fields(self, request: Any, user: Any) -> dict[str, Any]:
        """The product's own fields of a sign-in."""
        return dict(self._auth_fields(request, user)) if self._auth_fields else {}


class _StrictGuardSettings(GuardSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, and a misspelt entry is told."""


@functools.cache
def abuse() -> DjangoAbuse:
    """What the settings say, made once."""
    return DjangoAbuse(getattr(settings, SETTING, {}))


def forget(*, setting: str, **_: Any) -> None:
    """Make it anew after a test changed the setting."""
    if setting == SETTING:
        abuse.cache_clear()


def _function(given: Any) -> Callable[..., Any] | None:
    function: Callable[..., Any] | None = import_string(given) if isinstance(given, str) else given
    return function
