"""Who asks the gateway: a user by his session, or an address without an account."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from cloud.accounts.sessions import find_user
from cloud.billing.ledger import spendable
from cloud.billing.owners import Owner
from cloud.context import Cloud
from cloud.errors import Forbidden
from cloud.network import NetworkFacts
from cloud.organizations.roles import find_member

NO_KEY = "anonymous"
"""What a client shows in place of a key when there is no account."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks."""

    user_id: str
    is_anonymous: bool
    is_blocked: bool = False
    balance_microdollars: int = 0
    organization_id: str | None = None
    own_key: str | None = None
    """The provider's key that the user brings himself."""
    editor_name: str | None = None

    @property
    def owner(self) -> Owner:
        """Return whose balance pays: the organization's where the caller acts for one."""
        return Owner(user_id=self.user_id, organization_id=self.organization_id)


def find_caller(cloud: Cloud, connection: HTTPConnection, facts: NetworkFacts) -> Caller:
    """Return who asks, with what he may spend. Raises `NotSignedIn` for a session that is none."""
    own_key = connection.headers.get("x-provider-key")
    editor_name = connection.headers.get("x-editor-name")
    user = find_user(cloud, bearing_its_key(connection)) if key_of(connection) != NO_KEY else None
    if user is None:
        return Caller(user_id=f"anon:{facts.client_ip}", is_anonymous=True, own_key=own_key, editor_name=editor_name)
    organization_id = connection.headers.get("x-organization-id")
    with cloud.database.reading() as session:
        if organization_id is not None and find_member(session, organization_id, user.id) is None:
            raise Forbidden("the account is no member of this organization")
        balance_microdollars = spendable(session, Owner(user_id=user.id, organization_id=organization_id))
    return Caller(
        user_id=user.id,
        is_anonymous=False,
        is_blocked=user.blocked_at is not None,
        balance_microdollars=balance_microdollars,
        organization_id=organization_id,
        own_key=own_key,
        editor_name=editor_name,
    )


def key_of(connection: HTTPConnection) -> str | None:
    """Return the key that a client of OpenAI's or Anthropic's shows; they cannot be without one."""
    bearer = connection.headers.get("authorization", "").partition(" ")[2].strip()
    return bearer or connection.headers.get("x-api-key")


def bearing_its_key(connection: HTTPConnection) -> HTTPConnection:
    """Return the request with its key as a bearer token, also where it came as Anthropic's clients show it."""
    key = key_of(connection)
    if key is None or "authorization" in connection.headers:
        return connection
    bearer = (b"authorization", b"Bearer " + key.encode("latin-1"))
    return HTTPConnection({**connection.scope, "headers": [*connection.scope["headers"], bearer]})
