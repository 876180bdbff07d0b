"""The keys of a user's programs: sessions of the API, listed and revoked."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from cloud.accounts.models import UserSession
from cloud.accounts.sessions import Kind
from cloud.context import Cloud
from cloud.errors import NotFound


def list_keys(cloud: Cloud, user_id: str) -> Sequence[UserSession]:
    """Return the user's keys, the newest first; what one shows at the API is told only when it is made."""
    own = select(UserSession).where(UserSession.user_id == user_id, UserSession.kind == Kind.API.value)
    with cloud.database.reading() as session:
        return session.scalars(own.order_by(UserSession.started_at.desc(), UserSession.id)).all()


def revoke_key(cloud: Cloud, user_id: str, key_id: str) -> None:
    """Make the key worthless; one of somebody else's is not found."""
    own = delete(UserSession).where(UserSession.user_id == user_id, UserSession.kind == Kind.API.value)
    with cloud.transaction() as work:
        if work.session.scalars(own.where(UserSession.id == key_id).returning(UserSession.id)).first() is None:
            raise NotFound("found no such key")
