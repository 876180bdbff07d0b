"""Who may come in: service tokens, compared in constant time."""

import hmac

import msgspec

from abuse_service.api.http import Scope, header
from abuse_service.errors import Forbidden, Unauthorized
from abuse_service.settings import ALL_SCOPES, Settings, Token


class Sender(msgspec.Struct, frozen=True):
    """Who sends: the name that marks his events, and what he may do."""

    source: str
    scopes: frozenset[str]
    actor: str = ""
    """Who he is in the audit log."""

    def require(self, scope: str) -> None:
        """Raises `Forbidden` unless the sender has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"the service token lacks the scope {scope}")


LOCAL = "local"
LOCAL_SOURCE = "cloud"
"""Marks the events of a sender without a token."""
_ANYBODY = Sender(LOCAL_SOURCE, frozenset(ALL_SCOPES), LOCAL)


class Doors:
    """Tells senders by their token. Without tokens (loopback only) everybody has every scope."""

    def __init__(self, settings: Settings) -> None:
        self.is_open = not settings.tokens
        self._tokens = [
            (token.id.encode(), token.secret.get_secret_value().encode(), _sender(token)) for token in settings.tokens
        ]

    def admit(self, scope: Scope) -> Sender:
        """The sender of a request. Raises `Unauthorized`."""
        if self.is_open:
            return _ANYBODY
        token_id = header(scope, b"cf-access-client-id") or b""
        secret = header(scope, b"cf-access-client-secret") or b""
        found = None
        for known_id, known_secret, sender in self._tokens:
            # Both are compared every time, so that the time taken tells nothing about either.
            id_fits = hmac.compare_digest(known_id, token_id)
            if hmac.compare_digest(known_secret, secret) & id_fits:
                found = sender
        if found is None:
            raise Unauthorized
        return found


def _sender(token: Token) -> Sender:
    return Sender(token.source, frozenset(token.scopes), token.source)
