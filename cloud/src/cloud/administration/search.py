"""Finding users."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloud.accounts.models import User
from cloud.addresses import normalised
from cloud.errors import NotFound


def search_users(session: Session, wanted: str, limit: int) -> Sequence[User]:
    """Return those whose address holds the text or whose id it is, the newest first; deleted ones are not found."""
    is_meant = or_(User.id == wanted.strip(), User.email_normalised.contains(normalised(wanted), autoescape=True))
    living = select(User).where(User.deleted_at.is_(None), is_meant)
    return session.scalars(living.order_by(User.created_at.desc(), User.id).limit(limit)).all()


def find_user(session: Session, user_id: str) -> User:
    """Return the user, or raise `NotFound` when there is none or he was deleted."""
    user = session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotFound("found no such user")
    return user
